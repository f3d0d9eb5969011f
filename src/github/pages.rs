//! Lists, page by page. The next page is where GitHub's `Link` header says, because what follows
//! may have moved (a renamed repository) or be no number at all.

use super::address;
use super::api::{Result, shape};
use super::client::{Ask, Client, Repeat, Speaker};
use super::error::GithubError;
use super::wire::Reply;
use http::{Method, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Entries of a page, the most that GitHub gives.
const PER_PAGE: usize = 100;
/// More pages than this are an error: a list that was cut must not be taken for all of it.
const MOST_PAGES: usize = 100;

/// The pages of a list.
pub(super) struct Pages<'a> {
    client: &'a Client,
    speaker: Speaker<'a>,
    call: String,
    next: Option<String>,
    seen: usize,
}

impl Pages<'_> {
    /// The next page; none behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Reply>> {
        let Some(path) = self.next.take() else {
            return Ok(None);
        };
        if self.seen == MOST_PAGES {
            return Err(GithubError::TooMany {
                call: self.call.clone(),
                most: MOST_PAGES * PER_PAGE,
            });
        }
        self.seen += 1;
        let ask = Ask {
            method: Method::GET,
            path: &path,
            body: None,
            repeat: Repeat::Safe,
            speaker: self.speaker,
        };
        let reply = self.client.ask(ask).await?;
        let link = reply.headers.get(header::LINK);
        let link = link.and_then(|v| v.to_str().ok()).unwrap_or_default();
        if let Some(next) = address::next_page(link) {
            let within = address::within(self.client.api_url(), next);
            self.next = Some(within.ok_or_else(|| GithubError::Unexpected {
                call: self.call.clone(),
                why: "the next page is on another server".to_owned(),
            })?);
        }
        Ok(Some(reply))
    }
}

impl Client {
    /// The pages of the list at `path`.
    pub(super) fn paged<'a>(&'a self, path: &str, speaker: Speaker<'a>) -> Pages<'a> {
        let sign = if path.contains('?') { '&' } else { '?' };
        Pages {
            client: self,
            speaker,
            call: format!("GET {}", path.split('?').next().unwrap_or(path)),
            next: Some(format!("{path}{sign}per_page={PER_PAGE}")),
            seen: 0,
        }
    }

    /// All entries of a list; `field` names the list inside the answer, where it is not the answer.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        field: Option<&str>,
    ) -> Result<Vec<T>> {
        let mut out: Vec<T> = Vec::new();
        let mut pages = self.paged(path, Speaker::Path);
        while let Some(reply) = pages.next().await? {
            let list = match field {
                Some(field) => reply.body.get(field).cloned().unwrap_or(Value::Null),
                None => reply.body,
            };
            out.extend(shape::<Vec<T>>(&format!("GET {path}"), list)?);
        }
        Ok(out)
    }
}

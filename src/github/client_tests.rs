//! What is sent, how often and when, against answers that are made up.

use super::super::api::Result as Answered;
use super::super::app::App;
use super::*;
use crate::estate::Sha;
use crate::github::model::Status;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use std::sync::Mutex as Plain;

/// What GitHub got.
#[derive(Debug, Clone, PartialEq)]
struct Got {
    line: String,
    token: String,
    etag: String,
    seconds: u64,
}

type Answer = dyn Fn(&str, usize) -> Result<Reply, String> + Send + Sync;

/// A GitHub that answers by a function of the call and of how many came before.
struct Hub {
    answer: Box<Answer>,
    started: Instant,
    got: Plain<Vec<Got>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Hub {
    fn new(
        answer: impl Fn(&str, usize) -> Result<Reply, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            started: Instant::now(),
            got: Plain::default(),
        })
    }
    fn client(self: &Arc<Self>, credential: Credential) -> Client {
        let mut settings = ClientSettings::new("https://api.github.test", None);
        settings.credential = credential;
        Client::over(settings, self.clone())
    }
    fn plain(self: &Arc<Self>) -> Client {
        self.client(Credential::Token(Token::new("t1")))
    }
    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
    fn lines(&self) -> Vec<String> {
        self.got().into_iter().map(|g| g.line).collect()
    }
    fn seconds(&self) -> Vec<u64> {
        self.got().into_iter().map(|g| g.seconds).collect()
    }
}

impl Wire for Hub {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let line = format!("{} {}", call.method, call.path);
            let before = {
                let mut got = self.got.lock().unwrap();
                got.push(Got {
                    line: line.clone(),
                    token: call.token.map_or(String::new(), |t| t.expose().to_owned()),
                    etag: call.etag.unwrap_or_default().to_owned(),
                    seconds: self.started.elapsed().as_secs(),
                });
                got.len() - 1
            };
            (self.answer)(&line, before)
        })
    }
}

fn reply(status: u16, body: Value, headers: &[(&'static str, &str)]) -> Result<Reply, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Ok(Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
        body,
    })
}

fn shop() -> RepoSlug {
    RepoSlug::new("Acme/shop").unwrap()
}

fn repository() -> Value {
    json!({"id": 7, "full_name": "Acme/shop", "default_branch": "main", "clone_url": "https://github.test/Acme/shop.git"})
}

fn comments(ids: std::ops::Range<u64>) -> Value {
    ids.map(|id| json!({"id": id, "body": "", "user": null, "html_url": "https://github.test"}))
        .collect()
}

fn said<T>(answered: Answered<T>) -> String {
    match answered {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn pages_are_followed_where_github_says_they_are() {
    let hub = Hub::new(|_, n| match n {
        0 => reply(
            200,
            comments(0..100),
            &[(
                "link",
                r#"<https://api.github.test/repositories/7/issues/1/comments?page=2>; rel="next", <https://api.github.test/repositories/7/issues/1/comments?page=3>; rel="last""#,
            )],
        ),
        1 => reply(
            200,
            comments(100..200),
            &[(
                "link",
                r#"<https://api.github.test/repositories/7/issues/1/comments?after=x%3D>; rel="next""#,
            )],
        ),
        _ => reply(
            200,
            comments(200..250),
            &[(
                "link",
                r#"<https://api.github.test/repositories/7/issues/1/comments?page=1>; rel="first""#,
            )],
        ),
    });
    let all = hub.plain().comments(&shop(), 1).await.unwrap();
    let ids: Vec<u64> = all.iter().map(|c| c.id).collect();
    assert_eq!(ids, (0..250).collect::<Vec<u64>>());
    assert_eq!(
        hub.lines(),
        [
            "GET /repos/Acme/shop/issues/1/comments?per_page=100",
            "GET /repositories/7/issues/1/comments?page=2",
            "GET /repositories/7/issues/1/comments?after=x%3D",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn t20_a_list_without_an_end_is_an_error_and_not_cut() {
    let hub = Hub::new(|_, n| {
        let next = format!("<https://api.github.test/x?page={}>; rel=\"next\"", n + 2);
        reply(200, comments(0..1), &[("link", &next)])
    });
    let error = said(hub.plain().comments(&shop(), 1).await);
    assert_eq!(
        error,
        "GitHub's list for GET /repos/Acme/shop/issues/1/comments has more than 10000 entries; tenantry reads no more, and a part of it must not be taken for all"
    );
    assert_eq!(hub.got().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn t32_a_next_page_on_another_server_gets_no_token() {
    let hub = Hub::new(|_, _| {
        reply(
            200,
            comments(0..1),
            &[(
                "link",
                r#"<https://api.github.test.example.com/x?page=2>; rel="next""#,
            )],
        )
    });
    let error = said(hub.plain().comments(&shop(), 1).await);
    assert!(
        error.contains("the next page is on another server"),
        "{error}"
    );
    assert_eq!(hub.got().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_answered_from_what_was_kept() {
    let hub = Hub::new(|line, n| match (line, n) {
        ("GET /repos/Acme/shop", 0) => reply(
            200,
            repository(),
            &[
                ("etag", "W/\"1\""),
                ("cache-control", "private, max-age=60"),
            ],
        ),
        ("GET /repos/Acme/shop", 1) => reply(304, Value::Null, &[]),
        _ => reply(404, json!({"message": "Not Found"}), &[]),
    });
    let client = hub.plain();
    for _ in 0..2 {
        assert_eq!(client.repository(&shop()).await.unwrap().id, 7);
    }
    // An answer that is gone is not brought back.
    assert!(client.repository(&shop()).await.unwrap_err().is_not_found());
    let etags: Vec<String> = hub.got().into_iter().map(|g| g.etag).collect();
    assert_eq!(etags, ["", "W/\"1\"", "W/\"1\""]);
    // A 304 that was not asked for is no answer.
    let hub = Hub::new(|_, _| reply(304, Value::Null, &[]));
    let error = said(hub.plain().repository(&shop()).await);
    assert!(
        error.contains("a redirect that is not followed (304)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn t3_a_renamed_repository_is_followed_for_reading() {
    let hub = Hub::new(|line, _| match line {
        "GET /repos/Acme/shop" => reply(
            301,
            json!({}),
            &[("location", "https://api.github.test/repositories/8")],
        ),
        _ => reply(
            200,
            json!({"id": 8, "full_name": "other/shop", "default_branch": "main", "clone_url": "x"}),
            &[],
        ),
    });
    assert_eq!(hub.plain().repository(&shop()).await.unwrap().id, 8);
    assert_eq!(hub.lines(), ["GET /repos/Acme/shop", "GET /repositories/8"]);
}

#[tokio::test(start_paused = true)]
async fn t32_a_redirect_takes_no_token_to_another_server_and_no_write_to_another_method() {
    let to = |status: u16, location: &'static str| {
        Hub::new(move |line, _| match line.ends_with("/elsewhere") {
            true => reply(201, comments(5..6)[0].clone(), &[]),
            false => reply(status, json!({}), &[("location", location)]),
        })
    };
    for location in [
        "https://evil.example.com/elsewhere",
        "//evil.example.com/elsewhere",
        "http://api.github.test/elsewhere",
        "https://api.github.test:444/elsewhere",
        "https://u@evil.example.com/elsewhere",
        "",
    ] {
        let hub = to(302, location);
        let error = said(hub.plain().repository(&shop()).await);
        assert!(error.contains("redirect"), "{location}: {error}");
        let all: Vec<String> = hub
            .lines()
            .into_iter()
            .filter(|l| l.contains("elsewhere"))
            .collect();
        assert!(all.is_empty(), "{location}: {all:?}");
    }
    for status in [307, 308] {
        let hub = to(status, "https://api.github.test/elsewhere");
        let made = hub.plain().create_comment(&shop(), 1, "x").await.unwrap();
        assert_eq!(made.id, 5);
        assert_eq!(hub.lines()[1], "POST /elsewhere");
    }
    for status in [301, 302, 303] {
        let hub = to(status, "https://api.github.test/elsewhere");
        let error = said(hub.plain().create_comment(&shop(), 1, "x").await);
        assert!(
            error.contains(&format!("not followed ({status})")),
            "{error}"
        );
        assert_eq!(hub.got().len(), 1, "nothing was written a second time");
    }
    let hub = Hub::new(|_, n| {
        reply(
            301,
            json!({}),
            &[("location", &format!("/repositories/{n}"))],
        )
    });
    let error = said(hub.plain().repository(&shop()).await);
    assert!(error.contains("more than 5 redirects"), "{error}");
    assert_eq!(hub.got().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn limits_are_waited_for_whatever_the_call_does() {
    let limited = |headers: &'static [(&'static str, &'static str)], message: &'static str| {
        Hub::new(move |_, n| match n {
            0 | 1 => reply(403, json!({"message": message}), headers),
            _ => reply(201, comments(5..6)[0].clone(), &[]),
        })
    };
    let hub = limited(
        &[("retry-after", "7")],
        "You have exceeded a secondary rate limit",
    );
    hub.plain().create_comment(&shop(), 1, "x").await.unwrap();
    assert_eq!(hub.seconds(), [0, 7, 14]);
    // Without a word about how long: a minute, then two.
    let hub = limited(&[], "You have exceeded a secondary rate limit");
    hub.plain().create_comment(&shop(), 1, "x").await.unwrap();
    assert_eq!(hub.seconds(), [0, 60, 180]);
    let hub = limited(
        &[
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795280500"),
            ("date", "Sat, 21 Nov 2026 17:00:00 GMT"),
        ],
        "API rate limit exceeded",
    );
    hub.plain().create_comment(&shop(), 1, "x").await.unwrap();
    assert_eq!(hub.seconds(), [0, 100, 200]);
    let hub = limited(&[("retry-after", "1201")], "x");
    let error = said(hub.plain().create_comment(&shop(), 1, "x").await);
    assert_eq!(
        error,
        "GitHub's rate limit stops POST /repos/Acme/shop/issues/1/comments for 1201 s more; try again later"
    );
    assert_eq!(hub.got().len(), 1);
    // A 403 that is no limit.
    let hub = limited(
        &[("x-ratelimit-remaining", "10")],
        "Resource not accessible",
    );
    let error = said(hub.plain().create_comment(&shop(), 1, "x").await);
    assert!(error.contains("(403): Resource not accessible"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn graphql_says_with_200_that_its_points_are_used_up() {
    let hub = Hub::new(|_, n| match n {
        0 => reply(
            200,
            json!({"data": null, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}),
            &[
                ("x-ratelimit-reset", "1795280430"),
                ("date", "Sat, 21 Nov 2026 17:00:00 GMT"),
            ],
        ),
        _ => reply(
            200,
            json!({"data": {"r0": {"databaseId": 7, "defaultBranchRef": null, "pullRequests": {"pageInfo": {"hasNextPage": false}, "nodes": []}}}}),
            &[],
        ),
    });
    let polled = hub.plain().poll(&[shop()]).await.unwrap();
    assert_eq!(polled[0].as_ref().map(|p| p.id), Some(7));
    assert_eq!(hub.seconds(), [0, 30]);
}

#[tokio::test(start_paused = true)]
async fn more_open_pull_requests_than_one_query_tells_are_all_found() {
    let pull = |number: u64, repo: u64| json!({"number": number, "state": "open", "user": null, "head": {"ref": "b", "sha": format!("{number:040}"), "repo": {"id": repo}}, "base": {"ref": "main", "sha": "0", "repo": {"id": 7}}});
    let hub = Hub::new(move |line, _| match line {
        "POST /graphql" => reply(
            200,
            json!({"data": {"r0": {"databaseId": 7, "defaultBranchRef": {"name": "main", "target": {"oid": "c"}}, "pullRequests": {"pageInfo": {"hasNextPage": true}, "nodes": [{"number": 1, "headRefOid": "a", "baseRefName": "main", "isCrossRepository": false}]}}}}),
            &[],
        ),
        "GET /repos/Acme/shop/pulls?state=open&base=main&per_page=100" => reply(
            200,
            (1..=60)
                .map(|n| pull(n, if n == 9 { 8 } else { 7 }))
                .collect(),
            &[],
        ),
        other => reply(404, json!({"message": other}), &[]),
    });
    let polled = hub.plain().poll(&[shop()]).await.unwrap();
    let numbers: Vec<u64> = polled[0]
        .iter()
        .flat_map(|p| &p.pulls)
        .map(|p| p.0)
        .collect();
    assert_eq!(numbers, (1..=60).filter(|n| *n != 9).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_write_is_paced_and_one_that_may_have_happened_is_not_repeated() {
    let hub = Hub::new(|line, n| match (line.starts_with("POST /graphql"), n) {
        (true, _) => reply(200, json!({"data": {}}), &[]),
        (_, 0..3) => reply(201, comments(5..6)[0].clone(), &[]),
        (_, 3) => reply(502, Value::Null, &[]),
        _ => Err("the connection was reset".to_owned()),
    });
    let client = hub.plain();
    for _ in 0..3 {
        client.create_comment(&shop(), 1, "x").await.unwrap();
    }
    for why in ["it answers 502", "the connection was reset"] {
        let error = client
            .clone()
            .create_comment(&shop(), 1, "x")
            .await
            .unwrap_err();
        assert!(
            error.is_uncertain() && error.to_string().contains(why),
            "{error}"
        );
    }
    client.poll(&[shop()]).await.unwrap();
    assert_eq!(
        hub.seconds(),
        [0, 1, 2, 3, 4, 4],
        "one a second; a question is not a write"
    );
}

/// An hour of outage: what is not insisted on is given up early, the last word is not.
#[tokio::test(start_paused = true)]
async fn the_last_word_is_given_up_last() {
    let hub = || {
        let started = Instant::now();
        Hub::new(move |_, _| match started.elapsed().as_secs() < 3_600 {
            true => reply(503, Value::Null, &[]),
            false => reply(201, json!({}), &[]),
        })
    };
    let sha = Sha::new(&"a".repeat(40)).unwrap();
    let status = Status {
        state: "success".into(),
        context: "x".into(),
        description: None,
        target_url: None,
    };
    let early = hub();
    let error = said(early.plain().set_status(&shop(), &sha, &status).await);
    assert!(error.contains("cannot be reached"), "{error}");
    assert_eq!(early.seconds(), [0, 1, 5, 14]);
    let last = hub();
    last.plain()
        .insisting()
        .set_status(&shop(), &sha, &status)
        .await
        .unwrap();
    let seconds = last.seconds();
    assert!(
        (3_600..3_660).contains(seconds.last().unwrap()),
        "{seconds:?}"
    );
    // A limit of an hour is waited for too, and an outage that does not end has an end all the same.
    let limited = Hub::new(|_, n| match n {
        0 => reply(429, json!({}), &[("retry-after", "3600")]),
        _ => reply(201, json!({}), &[]),
    });
    limited
        .plain()
        .insisting()
        .set_status(&shop(), &sha, &status)
        .await
        .unwrap();
    let down = Hub::new(|_, _| Err("no route to host".to_owned()));
    let error = said(
        down.plain()
            .insisting()
            .set_status(&shop(), &sha, &status)
            .await,
    );
    assert!(error.contains("no route to host"), "{error}");
    let end = *down.seconds().last().unwrap();
    assert!((3_780..=3_900).contains(&end), "{end}");
}

fn pem(key: &KeyPair) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(key.as_der().unwrap().as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

fn app() -> App {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    App::new("12345", &pem(&key)).unwrap()
}

/// An App whose tokens are `token-<how many calls came before>`; whatever begins with a JWT's
/// first letters is the App itself.
fn minting(line: &str, n: usize) -> Option<Result<Reply, String>> {
    if line.ends_with("/installation") {
        return Some(reply(200, json!({"id": 5}), &[]));
    }
    line.starts_with("POST /app/installations/5/").then(|| {
        let body = json!({"token": format!("token-{n}"), "expires_at": "2026-11-21T18:00:00Z"});
        reply(201, body, &[("date", "Sat, 21 Nov 2026 17:00:00 GMT")])
    })
}

#[tokio::test(start_paused = true)]
async fn an_apps_token_is_kept_for_an_owner_and_exchanged_before_its_hour_is_over() {
    let hub = Hub::new(|line, n| minting(line, n).unwrap_or_else(|| reply(200, repository(), &[])));
    let client = hub.client(Credential::App(app()));
    client.repository(&shop()).await.unwrap();
    client
        .repository(&RepoSlug::new("acme/other").unwrap())
        .await
        .unwrap();
    client
        .repository(&RepoSlug::new("globex/portal").unwrap())
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(54 * 60)).await;
    client.repository(&shop()).await.unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    client.repository(&shop()).await.unwrap();
    assert_eq!(
        hub.lines(),
        [
            "GET /repos/Acme/shop/installation",
            "POST /app/installations/5/access_tokens",
            "GET /repos/Acme/shop",
            "GET /repos/acme/other",
            "GET /repos/globex/portal/installation",
            "POST /app/installations/5/access_tokens",
            "GET /repos/globex/portal",
            "GET /repos/Acme/shop",
            "POST /app/installations/5/access_tokens",
            "GET /repos/Acme/shop",
        ]
    );
    let tokens: Vec<String> = hub.got().into_iter().map(|g| g.token).collect();
    for app in [0, 1, 4, 5, 8] {
        assert_eq!(tokens[app].split('.').count(), 3, "signed by the App");
    }
    assert_eq!(
        [&tokens[2], &tokens[3], &tokens[6], &tokens[7], &tokens[9]],
        ["token-1", "token-1", "token-5", "token-1", "token-8"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_apps_token_that_is_not_accepted_is_exchanged_once() {
    let hub = Hub::new(|line, n| {
        minting(line, n).unwrap_or_else(|| match n {
            2 => reply(401, json!({"message": "Bad credentials"}), &[]),
            5 => reply(201, comments(5..6)[0].clone(), &[]),
            _ => reply(401, json!({"message": "Bad credentials"}), &[]),
        })
    });
    let client = hub.client(Credential::App(app()));
    client.create_comment(&shop(), 1, "x").await.unwrap();
    assert_eq!(hub.got()[5].token, "token-4");
    let error = said(client.create_comment(&shop(), 1, "x").await);
    assert!(error.contains("does not accept the token"), "{error}");
    let writes = hub.lines().into_iter().filter(|l| l.ends_with("/comments"));
    assert_eq!(writes.count(), 4, "twice at most for each");
    // Where a token is all there is, there is nothing to exchange.
    let plain = Hub::new(|_, _| reply(401, json!({}), &[]));
    said(plain.plain().repository(&shop()).await);
    assert_eq!(plain.got().len(), 1);
}

#[test]
fn t32_a_key_is_never_shown_and_what_is_no_key_is_refused() {
    let fine = app();
    assert_eq!(format!("{fine:?}"), "App(12345, ***)");
    let settings = ClientSettings {
        credential: Credential::App(fine),
        ..ClientSettings::new("https://api.github.test", Some(Token::new("hunter2")))
    };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let whole = pem(&KeyPair::generate(KeySize::Rsa2048).unwrap());
    let cut = &whole[..whole.len() / 2];
    for bad in [
        "",
        "hunter2",
        cut,
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----",
        &whole.replace("PRIVATE", "PUBLIC"),
    ] {
        let error = App::new("1", bad).unwrap_err();
        assert_eq!(error, crate::github::BadApp::Key);
        assert!(!error.to_string().contains("hunter2"));
    }
    for bad in ["", "1 2", "1\r\nx: y", "a/b", &"1".repeat(101)] {
        assert_eq!(
            App::new(bad, &whole).unwrap_err(),
            crate::github::BadApp::Id
        );
    }
}

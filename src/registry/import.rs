//! Customers out of somebody else's list: `customers.json` of the cased kind, or a CSV file.
//! Of a token nothing is kept but that there was one.

use super::name::{id, text};
use crate::estate::allow::Date;
use crate::estate::ids::shown;
use crate::estate::{CustomerId, Finding, Findings, Place, RepoSlug};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Largest list, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `{"customers": [{"name", "email", "token", "added_date", "status"}]}`
    Cased,
    /// A header `name,repository,contact,tier,region,wave`, in any order; `id` and
    /// `repository_id` may be there too.
    Csv,
}

/// One customer of a list, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub place: Place,
    /// For people.
    pub name: String,
    /// The id, from the name or given.
    pub id: CustomerId,
    /// The repository.
    pub repository: Option<RepoSlug>,
    /// Its number, if the list says it.
    pub repository_id: Option<u64>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// What they pay for.
    pub tier: Option<String>,
    /// Where they are.
    pub region: Option<String>,
    /// The group for changes of the fleet.
    pub wave: Option<String>,
    /// Since when.
    pub added: Option<Date>,
    /// The list's word for not being served, if it has one.
    pub inactive: Option<String>,
}

/// A list as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// The customers, in order.
    pub customers: Vec<Listed>,
    /// How many had a token.
    pub tokens: usize,
    /// Keys that tenantry has no place for, and how often they came.
    pub left_out: BTreeMap<String, usize>,
}

/// What a row says, as it was written.
#[derive(Default)]
struct Row {
    name: String,
    id: String,
    repository: String,
    repository_id: String,
    contact: String,
    tier: String,
    region: String,
    wave: String,
    added: String,
    status: String,
}

/// Reads a list. All that is wrong with it is said at once, each with its place.
pub fn list(path: &str, bytes: &[u8], format: Format) -> Result<List, Findings> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut out = List::default();
    let rows = match format {
        Format::Cased => cased(path, bytes, &mut out)?,
        Format::Csv => csv(path, bytes)?,
    };
    let mut findings = Vec::new();
    for (place, row) in rows {
        match checked(&place, &row) {
            Ok(listed) => out.customers.push(listed),
            Err(why) => findings.extend(
                why.into_iter()
                    .map(|m| Finding::error(place.clone(), "estate", m)),
            ),
        }
    }
    match findings.is_empty() {
        true => Ok(out),
        false => Err(Findings(findings)),
    }
}

fn checked(place: &Place, row: &Row) -> Result<Listed, Vec<String>> {
    let mut wrong = Vec::new();
    let who = shown(&row.name);
    let mut say = |e: String, next: Option<&str>| {
        let next = next.map_or_else(String::new, |n| format!("; {n}"));
        wrong.push(format!("customer `{who}`: {e}{next}"));
    };
    let mut words = |what: &str, given: &str| -> Option<String> {
        if given.is_empty() {
            return None;
        }
        text(what, given)
            .map_err(|e| say(e.to_string(), e.next()))
            .ok()
    };
    let (contact, tier) = (
        words("the contact", &row.contact),
        words("the tier", &row.tier),
    );
    let (region, wave) = (
        words("the region", &row.region),
        words("the wave", &row.wave),
    );
    let inactive = words("the status", &row.status).filter(|s| !s.eq_ignore_ascii_case("active"));
    let name = text("the name", &row.name)
        .map_err(|e| say(e.to_string(), e.next()))
        .ok();
    let made = match row.id.as_str() {
        "" => name.as_deref().and_then(|n| {
            // There is no --id for a row of a list.
            let next = |e: &super::RegistryError| {
                let proposal = e.next().and_then(|n| n.split("--id ").nth(1)).filter(|p| !p.contains('`'));
                proposal.map_or_else(
                    || "write an id for it into a column `id` of a CSV file, or add it by hand".to_owned(),
                    |p| format!("`{p}` would be one: write it into a column `id` of a CSV file, or add it by hand"),
                )
            };
            id(n).map_err(|e| say(e.to_string(), Some(&next(&e)))).ok()
        }),
        given => CustomerId::new(given).map_err(|e| say(e.to_string(), None)).ok(),
    };
    let slug = |given: &str| RepoSlug::new(given).map_err(|e| e.to_string());
    let repository = match row.repository.as_str() {
        "" => None,
        given => slug(given).map_err(|e| say(e, None)).ok(),
    };
    let repository_id = match row.repository_id.as_str() {
        "" => None,
        given => given
            .parse::<u64>()
            .map_err(|_| {
                say(
                    format!(
                        "`repository_id` must be a whole number, found `{}`",
                        shown(given)
                    ),
                    None,
                )
            })
            .ok(),
    };
    if repository_id.is_some() && row.repository.is_empty() {
        say(
            "`repository_id` without `repository`".to_owned(),
            Some("write both"),
        );
    }
    // A day, or a time on that day.
    let day = match row.added.split_once(['T', ' ']) {
        Some((day, _)) => day,
        None => row.added.as_str(),
    };
    let added = match day {
        "" => None,
        day => day
            .parse::<Date>()
            .map_err(|_| {
                say(
                    format!(
                        "`added_date` must be a day such as 2026-11-21, found `{}`",
                        shown(&row.added)
                    ),
                    None,
                )
            })
            .ok(),
    };
    match (name, made) {
        (Some(name), Some(id)) if wrong.is_empty() => Ok(Listed {
            place: place.clone(),
            name,
            id,
            repository,
            repository_id,
            contact,
            tier,
            region,
            wave,
            added,
            inactive,
        }),
        _ => Err(wrong),
    }
}

#[derive(Deserialize)]
struct CasedList {
    customers: Vec<Cased>,
}

/// No `Debug`, and the token is only known to be there.
#[derive(Deserialize)]
struct Cased {
    name: String,
    email: Option<String>,
    token: Option<IgnoredAny>,
    added_date: Option<String>,
    status: Option<String>,
    #[serde(flatten)]
    more: BTreeMap<String, IgnoredAny>,
}

fn cased(path: &str, bytes: &[u8], out: &mut List) -> Result<Vec<(Place, Row)>, Findings> {
    let list: CasedList = serde_json::from_slice(bytes).map_err(|e| {
        // serde quotes what it did not expect, which may be part of a token.
        let why = match e.classify() {
            serde_json::error::Category::Data => "not a list of this kind: expected `{\"customers\": [{\"name\", \"email\", \"token\", \"added_date\", \"status\"}]}`, all texts",
            _ => "not valid JSON",
        };
        Findings::one(Finding::error(Place::at(path, e.line(), e.column()), "estate", why))
    })?;
    let mut rows = Vec::new();
    for customer in list.customers {
        let Cased {
            name,
            email,
            token,
            added_date,
            status,
            more,
        } = customer;
        out.tokens += usize::from(token.is_some());
        for key in more.into_keys() {
            *out.left_out.entry(shown(&key)).or_default() += 1;
        }
        let row = Row {
            name,
            contact: email.unwrap_or_default(),
            added: added_date.unwrap_or_default(),
            status: status.unwrap_or_default(),
            ..Row::default()
        };
        rows.push((Place::file(path), row));
    }
    Ok(rows)
}

const COLUMNS: [&str; 8] = [
    "name",
    "repository",
    "contact",
    "tier",
    "region",
    "wave",
    "id",
    "repository_id",
];

fn csv(path: &str, bytes: &[u8]) -> Result<Vec<(Place, Row)>, Findings> {
    let refuse = |line: usize, message: String| {
        Findings::one(Finding::error(Place::at(path, line, 0), "estate", message))
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        refuse(line, "the file is not UTF-8; save it as UTF-8".to_owned())
    })?;
    let mut records = records(text)
        .map_err(|(line, why)| refuse(line, why.to_owned()))?
        .into_iter();
    let (_, header) = records.next().ok_or_else(|| {
        refuse(
            1,
            format!(
                "the file is empty; its first line must be `{}`",
                COLUMNS[..6].join(",")
            ),
        )
    })?;
    let header: Vec<&str> = header.iter().map(|h| h.trim()).collect();
    for (i, column) in header.iter().enumerate() {
        if !COLUMNS.contains(column) {
            return Err(refuse(
                1,
                format!(
                    "unknown column `{}`; known are {}",
                    shown(column),
                    COLUMNS.join(", ")
                ),
            ));
        }
        if header[..i].contains(column) {
            return Err(refuse(
                1,
                format!("the column `{column}` stands twice; keep one"),
            ));
        }
    }
    if !header.contains(&"name") {
        return Err(refuse(1, "there is no column `name`; add it".to_owned()));
    }
    let mut rows = Vec::new();
    for (line, fields) in records {
        if fields.len() != header.len() {
            return Err(refuse(
                line,
                format!(
                    "{} fields, but the header has {}; put texts with commas into double quotes",
                    fields.len(),
                    header.len()
                ),
            ));
        }
        let mut row = Row::default();
        for (column, field) in header.iter().zip(fields) {
            let field = field.trim_matches(' ').to_owned();
            match *column {
                "name" => row.name = field,
                "repository" => row.repository = field,
                "contact" => row.contact = field,
                "tier" => row.tier = field,
                "region" => row.region = field,
                "wave" => row.wave = field,
                "id" => row.id = field,
                _ => row.repository_id = field,
            }
        }
        rows.push((Place::at(path, line, 0), row));
    }
    Ok(rows)
}

type Record = (usize, Vec<String>);

/// RFC 4180, with the line on which each record begins. Empty lines are none.
fn records(text: &str) -> Result<Vec<Record>, (usize, &'static str)> {
    let mut out = Vec::new();
    let (mut line, mut begun) = (1, 1);
    let mut fields: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut chars = text.chars().peekable();
    loop {
        match chars.next() {
            Some('"') if field.is_empty() => loop {
                match chars.next() {
                    Some('"') if chars.peek() == Some(&'"') => {
                        chars.next();
                        field.push('"');
                    }
                    Some('"') => match chars.peek() {
                        None | Some(',' | '\n' | '\r') => break,
                        Some(_) => {
                            return Err((
                                line,
                                "text behind a closing quote; double the quotes inside of a quoted text",
                            ));
                        }
                    },
                    Some(c) => {
                        line += usize::from(c == '\n');
                        field.push(c);
                    }
                    None => return Err((begun, "a quoted text does not end")),
                }
            },
            Some('"') => {
                return Err((
                    line,
                    "a quote inside of a text without quotes; put the whole text into double quotes",
                ));
            }
            Some(',') => fields.push(std::mem::take(&mut field)),
            Some('\r') if chars.peek() == Some(&'\n') => {}
            end @ (Some('\n') | None) => {
                if !(fields.is_empty() && field.is_empty()) {
                    fields.push(std::mem::take(&mut field));
                    out.push((begun, std::mem::take(&mut fields)));
                }
                if end.is_none() {
                    return Ok(out);
                }
                line += 1;
                begun = line;
            }
            Some(c) => field.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str, format: Format) -> String {
        match list("l", text.as_bytes(), format) {
            Ok(list) => format!("{list:?}"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn t32_a_token_is_neither_kept_nor_shown() {
        let secret = "ghp_canary0123456789012345678901234567890";
        for text in [
            format!(
                r#"{{"customers": [{{"name": "Acme", "email": "a@b.c", "token": "{secret}", "added_date": "2024-05-01T10:00:00Z", "status": "Active"}}]}}"#
            ),
            format!(
                r#"{{"customers": [{{"name": "Acme", "token": {{"value": "{secret}"}}, "api_key": "{secret}"}}]}}"#
            ),
            format!(r#"{{"customers": [{{"name": 7, "token": "{secret}"}}]}}"#),
            format!(r#"{{"customers": [{{"name": "Acme", "status": ["{secret}"]}}]}}"#),
            format!(r#"{{"customers": "{secret}"}}"#),
            format!(r#"{{"customers": [{{"name": "Acme", "token": "{secret}"#),
        ] {
            let said = said(&text, Format::Cased);
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn lists_are_read_or_refused_with_a_place() {
        let cased = r#"{"customers": [{"name": "Acme Corp", "email": "ops@acme.test", "token": "t", "added_date": "2024-05-01", "status": "active"}, {"name": "Beta", "status": "churned", "token": null, "plan": 1}]}"#;
        let Ok(list) = list("l", cased.as_bytes(), Format::Cased) else {
            panic!()
        };
        assert_eq!((list.tokens, list.customers.len()), (1, 2));
        assert_eq!(list.customers[0].contact.as_deref(), Some("ops@acme.test"));
        assert_eq!(list.customers[0].inactive, None);
        assert_eq!(list.customers[1].inactive.as_deref(), Some("churned"));
        assert_eq!(list.left_out.get("plan"), Some(&1));
        let mut table = String::new();
        for text in [
            "\n",
            "name,repo\n",
            "name,name\n",
            "repository\nacme/app\n",
            "name,tier\nAcme\n",
            "name\n\"Acme\n",
            "name\n\"Acme\"x\n",
            "name\nAc\"me\n",
            "name,repository\n\"Acme, Inc.\",acme\n\nMüller,m/m\n\"A\nB\",\n",
            "name,repository_id\nAcme,x\nBeta,1\n",
            "name,id\nAcme,ACME\n",
            "name\nAc\u{202e}me\n",
        ] {
            table.push_str(&format!(
                "{}\n  {}\n",
                text.escape_debug(),
                said(text, Format::Csv).replace('\n', "\n  ")
            ));
        }
        insta::assert_snapshot!(table, @r#"
        \n
          l:1: the file is empty; its first line must be `name,repository,contact,tier,region,wave` [estate]
        name,repo\n
          l:1: unknown column `repo`; known are name, repository, contact, tier, region, wave, id, repository_id [estate]
        name,name\n
          l:1: the column `name` stands twice; keep one [estate]
        repository\nacme/app\n
          l:1: there is no column `name`; add it [estate]
        name,tier\nAcme\n
          l:2: 1 fields, but the header has 2; put texts with commas into double quotes [estate]
        name\n\"Acme\n
          l:2: a quoted text does not end [estate]
        name\n\"Acme\"x\n
          l:2: text behind a closing quote; double the quotes inside of a quoted text [estate]
        name\nAc\"me\n
          l:2: a quote inside of a text without quotes; put the whole text into double quotes [estate]
        name,repository\n\"Acme, Inc.\",acme\n\nMüller,m/m\n\"A\nB\",\n
          l:2: customer `Acme, Inc.`: a repository must be `owner/name` in letters, digits, `-`, `_` and `.`, got `acme` [estate]
          l:4: customer `M\u{fc}ller`: the name `M\u{fc}ller` has letters that an id cannot have; `mueller` would be one: write it into a column `id` of a CSV file, or add it by hand [estate]
          l:5: customer `A\u{a}B`: the name `A\u{a}B` holds a character that cannot be seen, controls a terminal, or looks like another letter; type it again by hand instead of copying it [estate]
        name,repository_id\nAcme,x\nBeta,1\n
          l:2: customer `Acme`: `repository_id` must be a whole number, found `x` [estate]
          l:3: customer `Beta`: `repository_id` without `repository`; write both [estate]
        name,id\nAcme,ACME\n
          l:2: customer `Acme`: a customer id must be 1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `acme-corp`), got `ACME` [estate]
        name\nAc\u{202e}me\n
          l:2: customer `Ac\u{202e}me`: the name `Ac\u{202e}me` holds a character that cannot be seen, controls a terminal, or looks like another letter; type it again by hand instead of copying it [estate]
        "#);
        let good = "wave, name ,repository,contact,tier,region\r\n2,\"Acme \"\"X\"\", Inc.\",acme/app,ops@acme.test,gold,eu-west-1\r\n";
        let said = said(good, Format::Csv);
        assert!(
            said.contains(r#"name: "Acme \"X\", Inc.", id: CustomerId("acme-x-inc")"#),
            "{said}"
        );
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(fields in proptest::collection::vec("[ -~\n\u{fc}]{0,12}", 2..5)) {
            let line: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            let read = records(&format!("{}\r\n", line.join(",")));
            prop_assert_eq!(read, Ok(vec![(1, fields)]));
        }
        #[test]
        fn t20_no_list_breaks_the_reader(text in "[\",\n\ra-z{}:]{0,60}") {
            let _ = list("l", text.as_bytes(), Format::Csv);
            let _ = list("l", text.as_bytes(), Format::Cased);
        }
    }
}

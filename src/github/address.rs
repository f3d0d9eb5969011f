//! Where GitHub is: `https://api.github.com`, or a GitHub Enterprise Server under
//! `https://host/api/v3`, whose GraphQL is at `https://host/api/graphql` (docs.github.com,
//! "Getting started with the REST API" and "Forming calls with GraphQL" of Enterprise Server).

use super::error::GithubError;
use url::{Host, Url};

/// What ends the API root of an Enterprise Server.
const ENTERPRISE: &str = "/api/v3";
/// The path of GraphQL under an API root, as the rest of the client writes it.
pub(super) const GRAPHQL: &str = "/graphql";

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

/// Reads an API root. A token goes there: so only by `https`, or to this machine.
pub(super) fn check(root: &str) -> Result<Url, GithubError> {
    let refuse = |why: &str| GithubError::Setup {
        // Without what may stand before an `@`.
        why: format!("its address {why}; check GITHUB_API_URL and `github` in tenantry.yml"),
    };
    let url = Url::parse(root).map_err(|_| refuse("is not a URL"))?;
    let host = url.host().ok_or_else(|| refuse("names no host"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("holds a user name"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&host) => Ok(url),
        _ => Err(refuse("is not an https URL")),
    }
}

/// The address of a call.
pub(super) fn of_call(root: &str, path: &str) -> String {
    match root.strip_suffix(ENTERPRISE) {
        Some(host) if path == GRAPHQL => format!("{host}/api/graphql"),
        _ => format!("{root}{path}"),
    }
}

/// The path under `root` that an address of GitHub's (a redirect, the next page) means. None if
/// it is on another server, or outside of the API: no token goes there.
pub(super) fn within(root: &str, address: &str) -> Option<String> {
    let root = Url::parse(root).ok()?;
    let to = root.join(address).ok()?;
    if to.origin() != root.origin() {
        return None;
    }
    let path = to.path().strip_prefix(root.path().trim_end_matches('/'))?;
    if !path.starts_with('/') {
        return None;
    }
    Some(match to.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    })
}

/// The next page's address in a `Link` header (RFC 8288), if there is one.
pub(super) fn next_page(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, from)) = rest.split_once('<') {
        let (address, after) = from.split_once('>')?;
        let end = outside_quotes(after, ',').unwrap_or(after.len());
        let (parameters, behind) = after.split_at(end);
        if parameters.split(';').any(is_next) {
            return Some(address);
        }
        rest = behind;
    }
    None
}

/// `rel=next` or `rel="next"`, also among other relations.
fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|r| r.eq_ignore_ascii_case("next"))
    })
}

fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices()
        .find(|(_, c)| {
            quoted ^= *c == '"';
            !quoted && *c == wanted
        })
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "https://api.github.com";
    const SERVER: &str = "https://git.example.com/api/v3";

    #[test]
    fn calls_go_under_the_root_and_graphql_beside_it() {
        assert_eq!(of_call(PUBLIC, "/user"), "https://api.github.com/user");
        assert_eq!(of_call(PUBLIC, GRAPHQL), "https://api.github.com/graphql");
        assert_eq!(
            of_call(SERVER, "/user"),
            "https://git.example.com/api/v3/user"
        );
        assert_eq!(
            of_call(SERVER, GRAPHQL),
            "https://git.example.com/api/graphql"
        );
    }

    #[test]
    fn t32_an_address_is_https_and_without_a_user_name() {
        for fine in [
            PUBLIC,
            SERVER,
            "http://127.0.0.1:80",
            "http://[::1]:8080",
            "http://localhost:3000/api/v3",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for bad in [
            "api.github.com",
            "http://api.github.com",
            "ftp://127.0.0.1",
            "https://bob:hunter2@api.github.com",
            "https://ghp_hunter2@api.github.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "https://api.github.com/?to=1",
            "data:,x",
        ] {
            let error = check(bad).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("GITHUB_API_URL"), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn t32_an_address_of_another_server_is_not_followed() {
        for (root, address, path) in [
            (
                PUBLIC,
                "https://api.github.com/repositories/7",
                Some("/repositories/7"),
            ),
            (
                PUBLIC,
                "https://API.github.com:443/repositories/7?page=2",
                Some("/repositories/7?page=2"),
            ),
            (PUBLIC, "/repositories/7", Some("/repositories/7")),
            (PUBLIC, "http://api.github.com/repositories/7", None),
            (PUBLIC, "https://api.github.com:8443/repositories/7", None),
            (
                PUBLIC,
                "https://api.github.com.example.com/repositories/7",
                None,
            ),
            (
                PUBLIC,
                "https://api.github.com@example.com/repositories/7",
                None,
            ),
            (PUBLIC, "//example.com/repositories/7", None),
            (PUBLIC, "\\\\example.com/repositories/7", None),
            (PUBLIC, "javascript:alert(1)", None),
            (PUBLIC, "https://", None),
            (
                SERVER,
                "https://git.example.com/api/v3/repositories/7",
                Some("/repositories/7"),
            ),
            (SERVER, "https://git.example.com/api/v3/../../login", None),
            (
                SERVER,
                "https://git.example.com/api/v30/repositories/7",
                None,
            ),
            (SERVER, "https://git.example.com/repositories/7", None),
        ] {
            assert_eq!(within(root, address).as_deref(), path, "{root} {address}");
        }
    }

    #[test]
    fn the_next_page_is_found_among_the_links() {
        for (link, next) in [
            (
                r#"<https://a/x?page=2>; rel="next", <https://a/x?page=9>; rel="last""#,
                Some("https://a/x?page=2"),
            ),
            (
                r#"<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next""#,
                Some("https://a/x?page=3"),
            ),
            (
                r#"<https://a/x?q=1,2&page=2>; title="a, <b>"; rel=next"#,
                Some("https://a/x?q=1,2&page=2"),
            ),
            (r#"<https://a/x?rel="next">; rel="last""#, None),
            (r#"<https://a/x>; title="rel=\"next\""; rel="last""#, None),
            (r#"<https://a/x"#, None),
            ("", None),
            (r#"rel="next""#, None),
        ] {
            assert_eq!(next_page(link), next, "{link}");
        }
    }
}

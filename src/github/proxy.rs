//! The way through a proxy. What is sent to GitHub goes through a tunnel (`CONNECT`), so a proxy
//! sees the name of the host and nothing else.

use super::address;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use std::sync::Arc;
use url::Url;

/// A proxy that cannot be used. Its address is not shown, because it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "HTTPS_PROXY is not an address that tenantry can use; it is written `http://host:port`, with `user:password@` before the host where the proxy asks for it"
)]
pub struct BadProxy;

/// Which proxy is used, and for which hosts none. `Debug` does not show it.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Proxies(***)"
        } else {
            "Proxies(none)"
        })
    }
}

/// A proxy, and what it wants to see.
pub(super) struct Tunnel {
    pub(super) proxy: Uri,
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxies {
    /// `https` is what HTTPS_PROXY holds, `except` what NO_PROXY holds.
    pub fn new(https: Option<&str>, except: Option<&str>) -> Result<Self, BadProxy> {
        let Some(text) = https.map(str::trim).filter(|t| !t.is_empty()) else {
            return Ok(Self(None));
        };
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let url = Url::parse(&text).map_err(|_| BadProxy)?;
        if url.scheme() != "http" || url.host().is_none() {
            return Err(BadProxy);
        }
        let proxy = || Matcher::builder().https(url.as_str());
        // What the matcher cannot read, it would leave out without a word.
        let anywhere = Uri::from_static("https://api.github.com");
        if proxy().build().intercept(&anywhere).is_none() {
            return Err(BadProxy);
        }
        let matcher = proxy().no(except.unwrap_or_default()).build();
        Ok(Self(Some(Arc::new(matcher))))
    }

    /// The tunnel to an API root; none where it is this machine, or excepted.
    pub(super) fn towards(&self, root: &Url) -> Option<Tunnel> {
        if root.host().is_none_or(|host| address::is_loopback(&host)) {
            return None;
        }
        let to: Uri = root.as_str().parse().ok()?;
        let found = self.0.as_ref()?.intercept(&to)?;
        Some(Tunnel {
            proxy: found.uri().clone(),
            authorization: found.basic_auth().cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn towards(proxy: &str, except: Option<&str>, root: &str) -> Option<String> {
        let proxies = Proxies::new(Some(proxy), except).unwrap();
        proxies
            .towards(&Url::parse(root).unwrap())
            .map(|t| t.proxy.to_string())
    }

    #[test]
    fn it_is_used_for_https_but_not_for_this_machine_nor_what_is_excepted() {
        let proxy = "http://proxy.example.com:3128";
        let used = Some("http://proxy.example.com:3128/".to_owned());
        assert_eq!(towards(proxy, None, "https://api.github.com"), used);
        assert_eq!(
            towards("proxy.example.com:3128", None, "https://api.github.com"),
            used
        );
        assert_eq!(
            towards(
                proxy,
                Some("example.org, .example.net"),
                "https://api.github.com"
            ),
            used
        );
        for (except, root) in [
            (None, "https://127.0.0.1:8443"),
            (None, "https://127.9.9.9"),
            (None, "https://[::1]:8443"),
            (None, "https://localhost"),
            (None, "https://git.localhost"),
            (None, "http://127.0.0.1:8080"),
            (Some("github.com"), "https://api.github.com"),
            (Some("x, .github.com"), "https://api.github.com"),
            (Some("*"), "https://api.github.com"),
            (Some("10.0.0.0/8"), "https://10.1.2.3/api/v3"),
        ] {
            assert_eq!(towards(proxy, except, root), None, "{except:?} {root}");
        }
        assert!(
            Proxies::default()
                .towards(&Url::parse("https://api.github.com").unwrap())
                .is_none()
        );
        assert_eq!(
            towards("http://bob:a b%40@proxy", None, "https://api.github.com").as_deref(),
            Some("http://proxy/")
        );
        assert!(Proxies::new(Some(" "), None).unwrap().0.is_none());
    }

    #[test]
    fn t32_a_proxys_password_is_never_shown() {
        let proxies =
            Proxies::new(Some("http://bob:hunter2@proxy.example.com:3128"), None).unwrap();
        assert_eq!(format!("{proxies:?}"), "Proxies(***)");
        let tunnel = proxies
            .towards(&Url::parse("https://api.github.com").unwrap())
            .unwrap();
        assert_eq!(tunnel.proxy, "http://proxy.example.com:3128/");
        assert_eq!(format!("{:?}", tunnel.authorization), "Some(Sensitive)");
        for bad in [
            "socks5://bob:hunter2@proxy",
            "https://bob:hunter2@proxy:1",
            "http://bob:hunter2@:1",
            "http://bob:hunter2@proxy:hunter2",
            "http://bob:hunter2@",
            "http://",
        ] {
            let error = Proxies::new(Some(bad), None).map(|_| ()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{bad}");
        }
    }
}

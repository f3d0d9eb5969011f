//! The same server over its socket, with the client that tenantry uses.
use super::*;

#[tokio::test]
async fn octocrab_reads_a_repository_and_writes_a_comment() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "acme/shop", "files": {"a": "1"}}),
    )
    .await;
    w.ok(
        "POST",
        "/_local/commits",
        json!({"repo": "acme/shop", "branch": "b", "files": {"a": "2"}, "user": "acme"}),
    )
    .await;
    use octocrab::service::middleware::base_uri::BaseUriLayer;
    use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
    let bearer = format!("Bearer {}", w.hub.token).parse().unwrap();
    let headers = vec![
        (::http::header::AUTHORIZATION, bearer),
        (
            ::http::header::USER_AGENT,
            ::http::HeaderValue::from_static("octocrab"),
        ),
    ];
    let executor = hyper_util::rt::TokioExecutor::new();
    let service = hyper_util::client::legacy::Client::builder(executor).build_http();
    let Ok(client) = octocrab::OctocrabBuilder::new_empty()
        .with_service(service)
        .with_layer(&ExtraHeadersLayer::new(std::sync::Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(w.hub.url.parse().unwrap()))
        .with_auth(octocrab::AuthState::None)
        .build();
    let repo = client.repos("acme", "shop").get().await.unwrap();
    assert_eq!(repo.default_branch.as_deref(), Some("main"));
    let pr = client
        .pulls("acme", "shop")
        .create("t", "b", "main")
        .send()
        .await
        .unwrap();
    let made = client
        .issues("acme", "shop")
        .create_comment(pr.number, "hello")
        .await
        .unwrap();
    assert_eq!(made.body.as_deref(), Some("hello"));
    let all = client
        .issues("acme", "shop")
        .list_comments(pr.number)
        .send()
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
    w.hub.stop().await;
}

#[tokio::test]
async fn an_unchanged_answer_is_a_304_and_lists_have_pages() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "acme/shop", "files": {"a": "1"}}),
    )
    .await;
    for i in 0..3 {
        w.ok(
            "POST",
            "/_local/commits",
            json!({"repo": "acme/shop", "files": {"a": format!("{i}x")}, "user": "acme"}),
        )
        .await;
    }
    let get = async |path: &str, etag: Option<String>| {
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n",
            w.hub.token
        );
        if let Some(etag) = etag {
            text.push_str(&format!("if-none-match: {etag}\r\n"));
        }
        text.push_str("\r\n");
        let address = w.hub.url.trim_start_matches("http://").to_owned();
        let mut s = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut s, text.as_bytes())
            .await
            .unwrap();
        let mut out = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut s, &mut out)
            .await
            .unwrap();
        out
    };
    let first = get("/repos/acme/shop/commits?per_page=2", None).await;
    assert!(
        first.contains("rel=\"next\"") && first.contains("x-ratelimit-remaining: "),
        "{first}"
    );
    let etag = first
        .lines()
        .find_map(|l| l.strip_prefix("etag: "))
        .unwrap()
        .trim()
        .to_owned();
    let again = get("/repos/acme/shop/commits?per_page=2", Some(etag)).await;
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
}

//! One request and one reply, free of any web framework, so that handlers are plain functions.
use http::HeaderMap;
use serde_json::{Value, json};

/// A request as a handler sees it: path segments decoded, body complete.
#[derive(Debug, Clone)]
pub struct Req {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// Decoded path segments, without empty ones.
    pub segs: Vec<String>,
    /// Decoded query pairs in order.
    pub query: Vec<(String, String)>,
    /// Request headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Req {
    /// Splits and decodes the target of a request.
    pub fn new(method: &str, path: &str, query: &str, headers: HeaderMap, body: Vec<u8>) -> Self {
        let segs = path.split('/').filter(|s| !s.is_empty());
        let pairs = query.split('&').filter(|s| !s.is_empty()).map(|p| {
            let (k, v) = p.split_once('=').unwrap_or((p, ""));
            (decode(k, true), decode(v, true))
        });
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            segs: segs.map(|s| decode(s, false)).collect(),
            query: pairs.collect(),
            headers,
            body,
        }
    }

    /// The first query parameter of that name.
    pub fn q(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The body as a JSON object; an empty body counts as `{}`.
    pub fn json(&self) -> Result<Value, Reply> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(json!({}));
        }
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(v) if v.is_object() => Ok(v),
            Ok(_) => Err(Reply::error(
                422,
                "Invalid request.\n\nFor 'links/0/schema', it is not an object.",
            )),
            Err(_) => Err(Reply::error(400, "Problems parsing JSON")),
        }
    }
}

/// Percent-decoding; invalid UTF-8 becomes the replacement character.
pub fn decode(s: &str, plus_is_blank: bool) -> String {
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| {
            std::str::from_utf8(h)
                .ok()
                .and_then(|h| u8::from_str_radix(h, 16).ok())
        });
        match (bytes[i], hex) {
            (b'%', Some(b)) => {
                out.push(b);
                i += 2;
            }
            (b'+', _) if plus_is_blank => out.push(b' '),
            (b, _) => out.push(b),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Percent-encoding of one path segment or query value.
pub fn encode(s: &str) -> String {
    s.bytes().fold(String::new(), |mut out, b| {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(b as char);
            }
            _ => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

/// A reply before rate-limit, ETag and request-id headers are added.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// JSON body, or none.
    pub body: Option<Value>,
}

/// What a handler returns: both arms are replies, `Err` only ends the handler early.
pub type Res = Result<Reply, Reply>;

impl Reply {
    /// A JSON reply.
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    /// 200 with a body.
    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// 204.
    pub fn none() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: None,
        }
    }

    /// GitHub's error body. `status` is a string in GitHub's answers since 2024.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string()}),
        )
    }

    /// 404 as GitHub also sends it for things the caller may not see.
    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// 422 with one entry in `errors`.
    pub fn invalid(resource: &str, field: &str, code: &str, message: &str) -> Self {
        let mut reply = Self::error(422, "Validation Failed");
        let mut error = json!({"resource": resource, "field": field, "code": code});
        if !message.is_empty() {
            error["message"] = json!(message);
        }
        if let Some(body) = reply.body.as_mut() {
            body["errors"] = json!([error]);
        }
        reply
    }

    /// 422 for a request that does not fit its schema, in the words GitHub uses.
    pub fn missing(field: &str) -> Self {
        Self::error(
            422,
            &format!("Invalid request.\n\n\"{field}\" wasn't supplied."),
        )
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// One page of a list, with the `Link` header; `wrap` puts it under a key beside `total_count`.
pub fn page(req: &Req, base_url: &str, items: Vec<Value>, wrap: Option<&str>) -> Reply {
    let number =
        |key: &str, default: usize| req.q(key).and_then(|v| v.parse().ok()).unwrap_or(default);
    let per_page = number("per_page", 30).clamp(1, 100);
    let this = number("page", 1).max(1);
    let total = items.len();
    let last = total.div_ceil(per_page).max(1);
    let chunk: Vec<Value> = items
        .into_iter()
        .skip((this - 1) * per_page)
        .take(per_page)
        .collect();
    let link = |n: usize, rel: &str| {
        let mut pairs: Vec<String> = req
            .query
            .iter()
            .filter(|(k, _)| k != "page")
            .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
            .collect();
        pairs.push(format!("page={n}"));
        format!(
            "<{base_url}{}?{}>; rel=\"{rel}\"",
            req.path,
            pairs.join("&")
        )
    };
    let mut links = Vec::new();
    if this > 1 {
        links.push(link(this - 1, "prev"));
    }
    if this < last {
        links.push(link(this + 1, "next"));
        links.push(link(last, "last"));
    }
    if this > 1 {
        links.push(link(1, "first"));
    }
    let body = match wrap {
        Some(key) => {
            let mut body = json!({"total_count": total});
            body[key] = json!(chunk);
            body
        }
        None => json!(chunk),
    };
    let reply = Reply::ok(body);
    if links.is_empty() {
        reply
    } else {
        reply.with("link", links.join(", "))
    }
}

/// A text member of a JSON object.
pub fn text<'a>(v: &'a Value, key: &str) -> Option<&'a str> {
    v.get(key).and_then(Value::as_str)
}

/// A required text member, or GitHub's 422.
pub fn need<'a>(v: &'a Value, key: &str) -> Result<&'a str, Reply> {
    text(v, key).ok_or_else(|| Reply::missing(key))
}

//! Fault switches: what can go wrong between a client and GitHub, on demand.
use serde_json::Value;

/// What a rule does to a request that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// 429 with `retry-after`.
    RateLimited,
    /// 403 "You have exceeded a secondary rate limit" with `retry-after`.
    Secondary,
    /// A bare 5xx.
    Status(u16),
    /// The request is accepted and answered only after so many milliseconds, with 504.
    Timeout(u64),
    /// The write is done, the answer is 502.
    DropAfter,
    /// A `repository_dispatch` is answered 204 and forgotten.
    DropDispatch,
    /// A `repository_dispatch` starts its workflows twice.
    DuplicateDispatch,
    /// A `repository_dispatch` starts its workflows after so many milliseconds.
    DelayDispatch(u64),
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Only this method.
    pub method: Option<String>,
    /// Only paths that contain this; `*` inside matches anything.
    pub path: String,
    /// What happens.
    pub kind: Kind,
    /// How many more times.
    pub times: u32,
    /// `retry-after` in seconds, for the two limits.
    pub retry_after: u64,
}

impl Fault {
    /// A fault that hits once, whatever the method.
    pub fn once(path: &str, kind: Kind) -> Self {
        Self {
            method: None,
            path: path.to_owned(),
            kind,
            times: 1,
            retry_after: 1,
        }
    }

    /// Reads `{"method", "path", "kind", "ms", "times", "retry_after"}`.
    pub fn parse(v: &Value) -> Option<Self> {
        let ms = v.get("ms").and_then(Value::as_u64).unwrap_or(60_000);
        let kind = match v.get("kind")? {
            Value::Number(n) if n.as_u64() == Some(429) => Kind::RateLimited,
            Value::Number(n) => Kind::Status(
                u16::try_from(n.as_u64()?)
                    .ok()
                    .filter(|s| (500..600).contains(s))?,
            ),
            Value::String(s) => match s.as_str() {
                "429" => Kind::RateLimited,
                "secondary_limit" => Kind::Secondary,
                "500" => Kind::Status(500),
                "502" => Kind::Status(502),
                "503" => Kind::Status(503),
                "timeout" => Kind::Timeout(ms),
                "drop_after" => Kind::DropAfter,
                "drop_dispatch" => Kind::DropDispatch,
                "duplicate_dispatch" => Kind::DuplicateDispatch,
                "delay_dispatch" => Kind::DelayDispatch(ms),
                _ => return None,
            },
            _ => return None,
        };
        let times = v.get("times").and_then(Value::as_u64).unwrap_or(1);
        Some(Self {
            method: v
                .get("method")
                .and_then(Value::as_str)
                .map(str::to_uppercase),
            path: v
                .get("path")
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned(),
            kind,
            times: u32::try_from(times).unwrap_or(u32::MAX),
            retry_after: v.get("retry_after").and_then(Value::as_u64).unwrap_or(1),
        })
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.times > 0
            && self.method.as_deref().is_none_or(|m| m == method)
            && contains(path, &self.path)
    }
}

/// The switches that are on, in the order in which they were thrown.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    rules: Vec<Fault>,
}

impl Faults {
    /// Throws a switch.
    pub fn add(&mut self, fault: Fault) {
        self.rules.push(fault);
    }

    /// Turns all of them off.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Switches that have not been used up; a test can insist that there are none.
    pub fn left(&self) -> usize {
        self.rules.iter().filter(|r| r.times > 0).count()
    }

    /// Uses up one hit of the first matching rule.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        let dispatch = method == "POST" && path.ends_with("/dispatches");
        let rule = self.rules.iter_mut().find(|r| {
            let about_dispatch = matches!(
                r.kind,
                Kind::DropDispatch | Kind::DuplicateDispatch | Kind::DelayDispatch(_)
            );
            r.matches(method, path) && (!about_dispatch || dispatch)
        })?;
        rule.times -= 1;
        Some(rule.clone())
    }
}

/// Substring search in which `*` in the needle matches anything.
fn contains(path: &str, needle: &str) -> bool {
    let mut rest = path;
    needle.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

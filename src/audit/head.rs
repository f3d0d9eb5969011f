//! What somebody kept from earlier: a head that the log of today must contain.

use super::entry::Head;
use super::key::{PublicKey, Signature};
use super::record::Malformed;
use crate::digest::Digest;
use crate::estate::CustomerId;
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;

/// Nobody keeps more heads in one file.
const MOST: usize = 10_000;

/// A head, as it is written into comments and printed by `tenantry audit head`:
/// `log:<entries>:<64 hex digits>` or `<customer>:<number>:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The whole log, and perhaps its signature.
    Log(Head),
    /// A customer's chain.
    Customer {
        /// Whose.
        customer: CustomerId,
        /// The number of the record.
        seq: u64,
        /// Its hash.
        hash: Digest,
    },
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(head) => write!(f, "log:{}:{}", head.size, head.root.hex()),
            Self::Customer {
                customer,
                seq,
                hash,
            } => write!(f, "{customer}:{seq}:{}", hash.hex()),
        }
    }
}

impl FromStr for Kept {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || {
            Malformed::new(format!(
                "`{}` is no head; write `log:<entries>:<64 hex digits>` or `<customer>:<number>:<64 hex digits>`",
                crate::estate::ids::shown(text)
            ))
        };
        let parts: Vec<&str> = text.trim().split(':').collect();
        let [what, number, hex] = parts.as_slice() else {
            return Err(wrong());
        };
        let seq: u64 = number.parse().map_err(|_| wrong())?;
        let hash = Digest::parse(&format!("sha256:{hex}")).ok_or_else(wrong)?;
        if seq == 0 {
            return Err(wrong());
        }
        // A customer may be called `log`; the log comes first, and their chain is in it.
        if *what == "log" {
            return Ok(Self::Log(Head {
                size: seq,
                root: hash,
                key: None,
                signature: None,
            }));
        }
        Ok(Self::Customer {
            customer: CustomerId::new(what).map_err(|_| wrong())?,
            seq,
            hash,
        })
    }
}

/// Reads a file of heads: what `tenantry audit head --format json` printed, or one a line.
pub fn read(text: &str) -> Result<Vec<Kept>, Malformed> {
    if text.trim_start().starts_with('{') {
        let map: Map<String, Value> = serde_json::from_str(text)
            .map_err(|e| Malformed::new(format!("it is not a head file: {e}")))?;
        if map.get("version") != Some(&json!(1)) {
            return Err(Malformed::new("it is not a head file of version 1"));
        }
        let mut out = Vec::new();
        if let Some(Value::Object(log)) = map.get("log") {
            let head = Head::read(log)?;
            if head.size == 0 {
                return Err(Malformed::new("the head of an empty log proves nothing"));
            }
            out.push(Kept::Log(head));
        }
        for chain in map
            .get("customers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = chain.as_str().unwrap_or_default();
            out.push(text.parse()?);
        }
        if out.is_empty() {
            return Err(Malformed::new("it is a head file without a head"));
        }
        return Ok(out);
    }
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if lines.is_empty() || lines.len() > MOST {
        return Err(Malformed::new(format!(
            "it must hold one head a line, 1 to {MOST} of them"
        )));
    }
    lines.into_iter().map(str::parse).collect()
}

/// The file that [`read`] reads.
pub fn write(log: Option<&Head>, customers: &[Kept]) -> Value {
    let log = log.map(|head| {
        let mut map = Map::new();
        head.insert_into(&mut map);
        map
    });
    let customers: Vec<String> = customers.iter().map(ToString::to_string).collect();
    json!({"version": 1, "log": log, "customers": customers})
}

/// Whether a kept head is signed by somebody else than the manager.
pub fn is_forged(head: &Head, keys: &[PublicKey]) -> bool {
    head.signature(keys) == Signature::Bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_and_others_are_refused() -> Result<(), Malformed> {
        let hex = "0123456789abcdef".repeat(4);
        for text in [format!("log:42:{hex}"), format!("acme:17:{hex}")] {
            assert_eq!(text.parse::<Kept>()?.to_string(), text);
        }
        let both = read(&format!("log:42:{hex}\n\nacme:17:{hex}\n"))?;
        assert_eq!(both.len(), 2);
        let Kept::Log(head) = &both[0] else { panic!() };
        let file = write(Some(head), &both[1..]).to_string();
        assert_eq!(read(&file)?, both);
        let huge = "log:".repeat(1_000_000);
        for bad in [
            "",
            "\n",
            "acme",
            "acme:17",
            "acme:x:00",
            &format!("acme:0:{hex}"),
            &format!("../x:1:{hex}"),
            &format!("acme:1:{}", hex.to_uppercase()),
            &format!("acme:99999999999999999999:{hex}"),
            "{",
            "{}",
            "{\"version\":1}",
            "{\"version\":2,\"customers\":[]}",
            "{\"version\":1,\"log\":{\"size\":\"x\"}}",
            &format!("{{\"version\":1,\"log\":{{\"size\":0,\"root\":\"sha256:{hex}\"}}}}"),
            "{\"version\":1,\"log\":[]}",
            "{\"version\":1,\"customers\":[7]}",
            &huge,
            &"[".repeat(100_000),
            &format!("{{\"version\":{}", "[".repeat(100_000)),
        ] {
            let error = read(bad).expect_err(&bad.chars().take(40).collect::<String>());
            assert!(error.0.len() < 400 && !error.0.contains('\n'), "{error}");
        }
        Ok(())
    }
}

//! A text as a mail that waits to be sent: plain and as HTML, to open in a mail program.

use super::Text;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;

/// The mail, and to whom. `from` and `to` are the provider's and the customer's words for
/// themselves; only what is an address and nothing else goes into a header.
pub fn mail(text: &Text, from: Option<&str>, to: Option<&str>) -> (Vec<u8>, Option<String>) {
    let from = from.and_then(address);
    let to = to.and_then(address);
    let mut message = MessageBuilder::new()
        // Mail programs open such a mail as a draft.
        .header("X-Unsent", Raw::new("1"))
        .subject(text.title.split_whitespace().collect::<Vec<_>>().join(" "));
    if let Some(from) = from {
        message = message.from(from);
    }
    if let Some(to) = &to {
        message = message.to(to.as_str());
    }
    let mut out = Vec::new();
    message
        .text_body(text.markdown.as_str())
        .html_body(text.page())
        .serialize(&mut out);
    (out, to)
}

/// The one word that is an address, of the plainest kind; none where there are two, because nobody
/// knows which is meant. Others are legal, and not worth what a reader of headers could make of them.
fn address(text: &str) -> Option<String> {
    let fine = |part: &str, marks: &str| {
        let bytes = part.as_bytes();
        !part.is_empty()
            && part.len() <= 200
            && bytes.first() != Some(&b'.')
            && bytes.last() != Some(&b'.')
            && !part.contains("..")
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || marks.as_bytes().contains(b))
    };
    let mut found = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')'))
        .filter(|w| w.contains('@'));
    let (one, other) = (found.next()?, found.next());
    let (name, host) = one.split_once('@')?;
    (other.is_none() && fine(name, ".+-_") && fine(host, ".-")).then(|| one.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(title: &str, from: &str, to: &str) -> (Vec<String>, String) {
        let text = Text {
            title: title.to_owned(),
            markdown: format!("# x\n\n{title}\n"),
        };
        let (bytes, _) = mail(&text, Some(from), Some(to));
        let all = String::from_utf8_lossy(&bytes).into_owned();
        let head = all.split("\r\n\r\n").next().unwrap_or_default();
        // A line that begins with a blank belongs to the one before.
        let names = head
            .split("\r\n")
            .filter(|l| !l.starts_with([' ', '\t']))
            .map(|l| l.split(':').next().unwrap_or_default().to_owned())
            .collect();
        (names, all)
    }

    #[test]
    fn t16_no_text_makes_a_header() {
        let usual = [
            "X-Unsent",
            "Subject",
            "From",
            "To",
            "Message-ID",
            "Date",
            "MIME-Version",
            "Content-Type",
        ];
        for hostile in [
            "Acme Corp",
            "Acme\r\nBcc: evil@example.com",
            "Acme\nBcc: evil@example.com",
            "Acme\rBcc: evil@example.com",
            "Acme\u{2028}Bcc: evil@example.com",
            "Acme\u{85}Bcc: evil@example.com",
            "Müller AG \u{202e}\r\n\r\n<script>",
            "=?utf-8?Q?x=0D=0ABcc:_evil=40example.com?=",
            "a\0b\u{b}c\u{c}d",
        ] {
            let (from, to) = (
                format!("{hostile} <help@ops.example>"),
                format!("{hostile}, ops@acme.example"),
            );
            let (names, all) = headers(hostile, &from, &to);
            let clear = !hostile.contains('@');
            let expected: Vec<&str> = usual
                .into_iter()
                .filter(|n| clear || !matches!(*n, "From" | "To"))
                .collect();
            assert_eq!(names, expected, "{hostile:?}: {all}");
            let head = all.split("\r\n\r\n").next().unwrap_or_default();
            assert!(!head.contains("\nBcc"), "{all}");
            assert!(
                head.bytes()
                    .all(|b| matches!(b, b'\r' | b'\n' | b'\t' | 32..127)),
                "{all}"
            );
        }
    }

    #[test]
    fn only_a_plain_address_is_written_to() {
        for (text, found) in [
            ("ops@acme.example", Some("ops@acme.example")),
            (
                "Jane <jane.doe+x@acme.example>",
                Some("jane.doe+x@acme.example"),
            ),
            (
                "Jane, +49 30 1234, jane@acme.example",
                Some("jane@acme.example"),
            ),
            ("\"a b\"@acme.example", None),
            ("@acme.example", None),
            ("a@b@c", None),
            ("a@.example", None),
            ("öps@acme.example", None),
            ("call us", None),
        ] {
            assert_eq!(address(text).as_deref(), found, "{text}");
        }
    }
}

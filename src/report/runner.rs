//! What the Actions runner reads: outputs, annotations, and foreign text between stop-commands.
//!
//! Source of the formats: docs.github.com, "Workflow commands for GitHub Actions", and the
//! runner's own parser (actions/runner, `ActionCommandManager.cs`, `FileCommandManager.cs`).

use super::escape::{command_data, command_property, terminal};
use crate::estate::{Finding, Level};

/// An entry for `GITHUB_OUTPUT`. `delimiter` must be random, or a value could end its own entry.
/// `None` when the key or the value cannot be written safely.
pub fn output(key: &str, value: &str, delimiter: &str) -> Option<String> {
    let key_ok = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let delimiter_ok =
        delimiter.len() >= 32 && delimiter.bytes().all(|b| b.is_ascii_alphanumeric());
    (key_ok && delimiter_ok && !value.contains(delimiter))
        .then(|| format!("{key}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// A finding as an annotation.
pub fn annotation(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let mut properties = format!("file={}", command_property(&terminal(&finding.place.path)));
    if finding.place.line > 0 {
        properties.push_str(&format!(",line={}", finding.place.line));
    }
    if finding.place.column > 0 {
        properties.push_str(&format!(",col={}", finding.place.column));
    }
    properties.push_str(&format!(",title={}", command_property(&finding.rule)));
    format!(
        "::{level} {properties}::{}",
        command_data(&terminal(&finding.message))
    )
}

/// Foreign text for the log. The runner executes `::cmd::` at the start of a line and `##[cmd]`
/// anywhere, so the first is switched off and the second is broken.
pub fn foreign(text: &str, token: &str) -> String {
    let text = terminal(text).replace("##[", "## [").replace(token, "…");
    format!(
        "::stop-commands::{token}\n{}\n::{token}::",
        text.trim_end_matches('\n')
    )
}

/// Text in which the runner finds no command, for lines that are not between stop-commands.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
        if let Some(after) = rest.strip_prefix("::") {
            out.push_str(&line[..line.len() - rest.len()]);
            out.push_str(": :");
            out.push_str(after);
        } else {
            out.push_str(line);
        }
    }
    out.replace("##[", "## [")
}

/// Masks one line of a secret in the runner's log.
pub fn mask(secret: &str) -> String {
    format!("::add-mask::{}", command_data(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Place;
    use proptest::prelude::*;

    /// A port of the runner's reader of `GITHUB_OUTPUT` (`FileCommandManager.cs`, `EnvFileKeyValuePairs`).
    fn parse(file: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut lines = file.split('\n');
        while let Some(line) = lines.next() {
            if line.is_empty() {
                continue;
            }
            let equals = line.find('=');
            let heredoc = line.find("<<");
            match (equals, heredoc) {
                (Some(e), h) if h.is_none_or(|h| e < h) => {
                    out.push((line[..e].to_owned(), line[e + 1..].to_owned()))
                }
                (_, Some(h)) => {
                    let delimiter = &line[h + 2..];
                    let value: Vec<&str> = lines.by_ref().take_while(|l| *l != delimiter).collect();
                    out.push((line[..h].to_owned(), value.join("\n")));
                }
                _ => panic!("the runner would refuse {line:?}"),
            }
        }
        out
    }

    /// A port of the runner's command detection (`ActionCommand.TryParseV2` and `TryParse`).
    fn commands(log: &str) -> Vec<String> {
        let mut stop: Option<String> = None;
        let mut found = Vec::new();
        for line in log.lines() {
            let trimmed = line.trim_start();
            let v2 = trimmed
                .strip_prefix("::")
                .and_then(|r| r.split_once("::"))
                .map(|(c, d)| (c.to_owned(), d.to_owned()));
            let older = v2.is_none() && line.contains("##[");
            match (&stop, v2) {
                (Some(token), Some((c, _))) if c == *token => stop = None,
                (Some(_), _) => {}
                (None, Some((c, d))) if c == "stop-commands" => stop = Some(d),
                (None, Some((c, _))) => found.push(c),
                (None, None) => {}
            }
            if older {
                found.push(line.to_owned());
            }
        }
        assert!(stop.is_none(), "commands stay switched off");
        found
    }

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    proptest! {
        #[test]
        fn t6_a_value_never_becomes_another_output(value in "([a-z=<>\\n]|EOF|k<<x|0123456789abcdef){0,20}") {
            if let Some(entry) = output("key", &value, TOKEN) {
                let file = format!("{entry}{}", output("next", "1", TOKEN).unwrap_or_default());
                prop_assert_eq!(parse(&file), vec![("key".to_owned(), value), ("next".to_owned(), "1".to_owned())]);
            }
        }

        #[test]
        fn t7_foreign_text_holds_no_command(text in "( *::[a-z-]{1,12}( a=b)?::x|##\\[add-path\\]x|\\n|\\r|[a-z ]{0,5}){0,12}") {
            prop_assert_eq!(commands(&foreign(&text, TOKEN)), Vec::<String>::new());
        }
    }

    proptest! {
        #[test]
        fn t7_inert_text_holds_no_command(text in "([ \\t]*::[a-z-]{1,12}( a=b)?::x|##\\[add-path\\]x|\\n|\\r|[a-z: #\\[]{0,5}){0,12}") {
            prop_assert_eq!(commands(&inert(&super::super::escape::terminal(&text))), Vec::<String>::new());
        }

        #[test]
        fn t7_a_mask_is_one_command(secret in "[ -~\\n\\r%:]{4,40}") {
            let line = mask(&secret);
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert_eq!(commands(&line), vec!["add-mask".to_owned()]);
        }
    }

    #[test]
    fn t7_the_token_itself_cannot_be_guessed_or_repeated() {
        assert_eq!(
            commands(&foreign(
                &format!("::{TOKEN}::\n::set-env name=a::b"),
                TOKEN
            )),
            Vec::<String>::new()
        );
        assert_eq!(
            commands("  ::set-env name=a::b"),
            vec!["set-env name=a"],
            "the port sees commands at all"
        );
    }

    #[test]
    fn t7_a_hostile_title_stays_one_annotation() {
        let finding = Finding::error(
            Place::at("a,b:c%\n::error::x", 1, 2),
            "schema",
            "x\n::set-env name=a::b %0A",
        );
        let line = annotation(&finding);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert_eq!(commands(&line).len(), 1, "{line}");
        assert!(line.contains("file=a%2Cb%3Ac%25%0A%3A%3Aerror"), "{line}");
    }
}

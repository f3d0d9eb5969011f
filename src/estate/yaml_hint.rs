//! What to do about a file that is no YAML: the parser says what it expected, not what a person
//! should write.

/// What follows the parser's words. `line` is the line at which it stopped.
pub(super) fn hint(parser: &str, line: &str) -> &'static str {
    let says = |words: &str| parser.contains(words);
    if line.trim_start_matches(' ').starts_with('\t') {
        "; indent with spaces, not with tabs"
    } else if says("mapping values are not allowed") {
        "; write a text that holds `: ` in quotes, and begin each key on a line of its own"
    } else if says("simple key expect") {
        "; a line above is not `key: value`"
    } else if says("expected ',' or ']'") {
        "; close the list with `]`"
    } else if says("expected ',' or '}'") {
        "; close the map with `}`"
    } else if says("cannot start any token") {
        "; write a text that begins like this in quotes"
    } else if says("unknown anchor") {
        "; define it above with `&name`, or write the value out"
    } else if says("quoted scalar") {
        "; close the text with a quote"
    } else {
        ""
    }
}

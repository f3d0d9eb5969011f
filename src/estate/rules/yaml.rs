//! Rules of the strict YAML reader.

use super::{Example, Rule, text, yaml};
use crate::estate::finding::Level;

const fn rule(
    id: &'static str,
    title: &'static str,
    why: &'static str,
    instead: &'static str,
    bad: Example,
    good: Example,
) -> Rule {
    Rule {
        id,
        level: Level::Error,
        lint: false,
        title,
        why,
        instead,
        bad,
        good,
    }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "yaml-syntax",
        "The file is not YAML",
        "Nothing in it can be trusted to mean what it seems to mean, so none of it is used.",
        "The message says where the reader stopped. Tabs as indentation and an unclosed bracket or quote are the usual reasons; the mistake is often one line above.",
        yaml("networking:\n\tvpc_cidr: 10.0.0.0/16"),
        yaml("networking:\n  vpc_cidr: 10.0.0.0/16"),
    ),
    rule(
        "yaml-encoding",
        "The file is not UTF-8",
        "The same bytes are different letters in different encodings; tools would disagree about the text.",
        "Save the file as UTF-8. The message names the first line that is not.",
        text("text", "owner: M\\xfcller        (Latin-1)"),
        text("text", "owner: M\\xc3\\xbcller    (UTF-8)"),
    ),
    rule(
        "yaml-ambiguous",
        "A value that tools read differently",
        "YAML 1.1 and YAML 1.2 disagree about it. `no` is a text to one reader and `false` to the next, `0755` is 755 or 493, `12:30:45` is 45045 or a text, `2026-11-21` a date. What was approved would not be what is applied.",
        "Write the value that you mean: `true` or `false`, the number in plain digits, or the text in quotes.",
        yaml("country: NO\nmode: 0755\nlaunch: 2026-11-21"),
        yaml("country: \"NO\"\nmode: \"0755\"\nlaunch: \"2026-11-21\""),
    ),
    rule(
        "yaml-number",
        "A number with more digits than can be kept",
        "Most tools hold numbers in 64 bits and round what does not fit, without a word. An account id would become another one.",
        "Write it in quotes. An id is a text that happens to be made of digits.",
        yaml("account: 123456789012345678901"),
        yaml("account: \"123456789012345678901\""),
    ),
    rule(
        "yaml-duplicate-key",
        "The same key twice in one map",
        "Some readers take the first, others the last. A reviewer sees one of them.",
        "Keep one of the two; the message names the line of the first.",
        yaml("region: eu-west-1\nsize: small\nregion: us-east-1"),
        yaml("region: eu-west-1\nsize: small"),
    ),
    rule(
        "yaml-merge-key",
        "A merge key (`<<`)",
        "It was dropped from YAML 1.2. Some tools still merge, others see a key called `<<`.",
        "Write the keys out. An alias as a whole value (`tags: *common`) is allowed.",
        yaml("common: &common\n  team: web\ntags:\n  <<: *common\n  tier: gold"),
        yaml("tags:\n  team: web\n  tier: gold"),
    ),
    rule(
        "yaml-key",
        "A key that is not a text",
        "Engines get JSON, in which every key is a text. `1` and `\"1\"`, or `true` and `\"true\"`, would become one key.",
        "Put the key in quotes.",
        yaml("ports:\n  80: http\n  true: x"),
        yaml("ports:\n  \"80\": http\n  \"true\": x"),
    ),
    rule(
        "yaml-tag",
        "A tag (`!name`)",
        "A tag tells a reader to make something other than a plain value, and each reader knows others. Some run code.",
        "Write the value without the tag. `!!str` may stay.",
        yaml("password: !vault secret/db\nsize: !!float 3"),
        yaml("size: 3"),
    ),
    rule(
        "yaml-documents",
        "A second document in the file",
        "Some readers take the first document, some the last, some merge them.",
        "Keep one document, and remove the `---` that starts the second.",
        yaml("size: 1\n---\nsize: 2"),
        yaml("size: 2"),
    ),
    rule(
        "yaml-hidden-character",
        "A character that cannot be seen",
        "Zero-width characters and characters that change the direction of text make a line look different from what it says. Whoever approves it would approve something else.",
        "Delete the character; the message gives its code point and position. Retyping the line is often quickest.",
        text("text", "region: eu-west-1<U+200B>"),
        text("text", "region: eu-west-1"),
    ),
    rule(
        "yaml-too-large",
        "More than the reader takes",
        "A file may have 1 MiB and 100,000 values, counting what aliases repeat. Ten short lines of nested aliases can stand for billions of values and stop everybody's runs.",
        "Split the file, remove what is not needed, or write out what aliases repeat.",
        yaml(
            "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e, *e]",
        ),
        yaml("a: [x, x, x, x, x, x, x, x, x]"),
    ),
    rule(
        "yaml-too-deep",
        "Nested deeper than 64 levels",
        "No configuration needs it, and readers that recurse run out of memory.",
        "Use fewer levels.",
        text(
            "yaml",
            "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        ),
        yaml("a: [x]"),
    ),
    rule(
        "yaml-alias",
        "An alias inside of its own anchor",
        "The value would contain itself and have no end.",
        "Write the value out where the alias stands.",
        yaml("a: &a\n  b: *a"),
        yaml("a:\n  b: {}"),
    ),
];

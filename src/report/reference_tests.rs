use super::*;
use crate::estate::reference::reference;
use crate::estate::resolve::Rules;
use crate::estate::{Estate, Files};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser};

fn pages(schema: &str) -> (String, String, Option<Example>) {
    let mut files = Files::new();
    files.insert("products/web/values.schema.json", schema.as_bytes());
    files.insert("products/web/base-values.yaml", b"size: 3\n".to_vec());
    files.insert(
        "products/web/environments/staging.yaml",
        b"size: 4\n".to_vec(),
    );
    files.insert(
        "products/web/environments/production.yaml",
        b"{}\n".to_vec(),
    );
    let made = Estate::read(files).and_then(|estate| {
        let rules = Rules::of(&estate)?;
        let product = estate.products.keys().next().cloned();
        let Some(product) = product else { panic!() };
        let example = example(&estate, &rules, &product)?;
        Ok((reference(&estate, &product)?, example))
    });
    let Ok((Some(reference), example)) = made else {
        panic!("{schema}")
    };
    let page = match html(&reference, example.as_ref()) {
        Ok(page) => page,
        Err(e) => panic!("{e}"),
    };
    (markdown(&reference, example.as_ref()), page, example)
}

#[test]
fn what_a_customer_reads() {
    let (text, ..) = pages(
        r#"{"title": "Web", "description": "A web server.", "type": "object", "additionalProperties": false, "required": ["name"],
"properties": {
  "name": {"type": "string", "description": "The | name,\nas in `x`.", "pattern": "^[a-z]{2,8}$"},
  "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How large.", "default": 3, "examples": [5]},
  "zone": {"enum": ["a", "no"], "deprecated": true, "description": "Where."}
}}"#,
    );
    insta::assert_snapshot!(text, @r#"
# Web

What you may write in `infra/variables.yml` for product `web`.

A web server.

## Example

```yaml
# infra/variables.yml
# The | name, as in `x`.
name: shop
# How large.
size: 5
# Where.
zone: "a"
```

What differs in one environment goes under `environments.<name>`; there are, in the order of promotion: `staging`, `production`.

## Keys

Any other key is refused.

| key | kind | |
|---|---|---|
| [`name`](#key-name) | text | required |
| [`size`](#key-size) | whole number | optional |
| [`zone`](#key-zone) | text | optional |

<a id="key-name"></a>

### `name`

The \| name, as in \`x\`.

| | |
|---|---|
| kind | text |
| needed | required |
| limit | must match the pattern `^[a-z]{2,8}$` |

<a id="key-size"></a>

### `size`

How large.

| | |
|---|---|
| kind | whole number |
| needed | optional |
| limit | 1 to 9 |
| default | `3` |
| set by the provider | `4` in staging (`products/web/environments/staging.yaml:1`) |
| set by the provider | `3` in production (`products/web/base-values.yaml:1`) |
| examples | `5` |

<a id="key-zone"></a>

### `zone`

**Deprecated.**

Where.

| | |
|---|---|
| kind | text |
| needed | optional |
| allowed | `"a"`, `"no"` |
"#);
}

#[test]
fn the_page_needs_nothing_else_and_every_key_can_be_linked_to() {
    let (_, page, _) = pages(
        r#"{"title": "</title><script>alert(1)</script>", "type": "object", "properties": {
  "a\"><img src=x onerror=alert(1)>": {"type": "string", "description": "<b>&amp; \u202e</b>", "examples": ["<i>"], "pattern": "^</code>$"},
  "a": {"type": "string", "description": "javascript:alert(1) https://example.com"},
  "A": {"type": "string"}
}}"#,
    );
    for never in [
        "<script",
        "<img",
        "<b>",
        "<i>",
        "\u{202e}",
        "http-equiv=\"refresh",
        "src=",
        " onerror=alert(1)>",
    ] {
        let found = page.replace("&lt;", "(").contains(never);
        assert!(
            !found || never == "src=" && !page.contains("<img"),
            "{never}"
        );
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    assert!(page.contains("prefers-color-scheme: dark"));
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|r| r.split('"').next())
        .collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(ids.len(), once.len(), "{ids:?}");
    for link in page
        .split("href=\"#")
        .skip(1)
        .filter_map(|r| r.split('"').next())
    {
        assert!(ids.contains(&link), "{link}");
    }
    assert!(!page.contains("href=\"http") && !page.contains("url("));
}

#[test]
fn what_does_not_pass_is_left_out_of_the_example() {
    // `b` may not stand beside `a`.
    let (_, _, example) = pages(
        r#"{"type": "object", "additionalProperties": false, "required": ["a"], "properties": {
  "size": {"type": "integer"}, "a": {"type": "string"}, "b": {"type": "string"}},
  "if": {"required": ["b"]}, "then": {"properties": {"a": false}}}"#,
    );
    let Some(example) = example else { panic!() };
    assert!(example.text.contains("\"a\": example"), "{}", example.text);
    assert_eq!(example.left_out, ["size", "b"], "{}", example.text);
}

/// Everything that a reader of Markdown sees but text, code and the structure that is ours.
fn structure(page: &str) -> Vec<String> {
    Parser::new_ext(page, Options::all())
        .filter_map(|event| match event {
            Event::Text(_) | Event::Code(_) | Event::SoftBreak => None,
            // `code()` writes these, with entities for all that is inside.
            Event::InlineHtml(t) if matches!(t.as_ref(), "<code>" | "</code>") => None,
            other => Some(format!("{other:?}")),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn t16_no_text_of_a_schema_changes_the_page(text in "[ -~\n`<>&|@#\\[\\]()*_~!:=+.0-9\u{202e}-]{1,60}") {
        let schema = |t: &str| serde_json::json!({"type": "object", "properties": {"k": {
            "type": "string", "description": t, "examples": [t], "deprecated": true, "deprecationMessage": t,
        }}}).to_string();
        prop_assume!(!text.trim().is_empty());
        let hostile = structure(&markdown_of(&schema(&text)));
        let plain = structure(&markdown_of(&schema("plain")));
        prop_assert_eq!(hostile, plain);
    }
}

/// Without the example, whose block is fenced and whose lines differ.
fn markdown_of(schema: &str) -> String {
    let mut files = Files::new();
    files.insert("products/web/values.schema.json", schema.as_bytes());
    let made = Estate::read(files).and_then(|estate| {
        let product = estate.products.keys().next().cloned();
        let Some(product) = product else { panic!() };
        reference(&estate, &product)
    });
    match made {
        Ok(Some(reference)) => markdown(&reference, None),
        other => panic!("{other:?}"),
    }
}

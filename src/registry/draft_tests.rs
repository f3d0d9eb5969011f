use super::*;
use crate::estate::resolve::{Rules, resolve};
use crate::estate::schema_check::check;
use crate::estate::{Estate, Files};
use proptest::prelude::*;

fn made(hcl: &str) -> Result<Draft, Findings> {
    let mut files = Files::new();
    files.insert("module/variables.tf", hcl.as_bytes());
    let module = Module::read(&files, "module")?;
    let (Ok(product), Ok(environment)) = (ProductId::new("net"), EnvironmentId::new("staging"))
    else {
        panic!()
    };
    draft(&DraftPlan {
        product,
        environments: vec![environment],
        module: &module,
        folder: "module",
        copy: true,
        left: Vec::new(),
    })
}

fn part(draft: &Draft, path: &str) -> String {
    let bytes = draft.files.iter().find(|(p, _)| p == path);
    bytes.map_or_else(String::new, |(_, b)| {
        String::from_utf8_lossy(b).into_owned()
    })
}

fn variable(body: &str) -> (Value, Vec<String>) {
    let draft = match made(&format!("variable \"x\" {{\n{body}\n}}\n")) {
        Ok(draft) => draft,
        Err(e) => panic!("{body}: {e}"),
    };
    let schema: Value = match serde_json::from_str(&part(&draft, "products/net/values.schema.json"))
    {
        Ok(schema) => schema,
        Err(e) => panic!("{e}"),
    };
    let notes = draft
        .notes
        .iter()
        .map(|n| n.source.clone().unwrap_or_else(|| n.text.clone()));
    (schema["properties"]["x"].clone(), notes.collect())
}

#[test]
fn validations_are_carried_over_where_they_are_understood() {
    let mut table = String::new();
    for (kind, condition) in [
        ("string", r#"contains(["a", "b"], var.x)"#),
        ("string", r#"var.x == "a" || "b" == var.x"#),
        ("string", r#"can(regex("^[a-z]+$", var.x))"#),
        (
            "string",
            r#"can(regex("^\\d{2}$", var.x)) && length(var.x) <= 5"#,
        ),
        ("string", r#"can(regex("(?i)^a$", var.x))"#),
        ("string", r#"can(regex("^\\pL+$", var.x))"#),
        ("string", r#"length(regexall("^a", var.x)) > 0"#),
        ("string", r#"length(var.x) > 2 && 10 > length(var.x)"#),
        ("string", r#"var.x != """#),
        ("string", r#"startswith(var.x, "a.b")"#),
        ("string", r#"var.x == null || contains(["a"], var.x)"#),
        ("string", r#"var.x == null ? true : length(var.x) == 3"#),
        ("string", r#"can(cidrhost(var.x, 0))"#),
        ("string", r#"!contains(["a"], var.x)"#),
        ("number", "var.x >= 1 && var.x < 10"),
        ("number", "0 < var.x && -5 <= var.x"),
        ("number", "floor(var.x) == var.x"),
        ("number", "contains([1, 2.5, \"3\"], var.x)"),
        ("number", "var.x <= var.y"),
        ("number", "var.x % 2 == 0"),
        ("list(string)", "length(var.x) >= 1 && length(var.x) <= 3"),
        ("list(string)", r#"alltrue([for v in var.x : v != ""])"#),
        ("map(string)", "length(var.x) < 4"),
        ("object({a = string})", "length(var.x.a) > 1"),
    ] {
        let body = format!(
            "type = {kind}\nvalidation {{\ncondition = {condition}\nerror_message = \"No.\"\n}}"
        );
        let (schema, notes) = variable(&body);
        table.push_str(&format!("{condition}\n  {schema}\n"));
        if !notes.is_empty() {
            table.push_str(&format!("  left: {}\n", notes.join("; ")));
        }
    }
    insta::assert_snapshot!(table, @r#"
contains(["a", "b"], var.x)
  {"enum":["a","b"],"type":"string"}
var.x == "a" || "b" == var.x
  {"enum":["a","b"],"type":"string"}
can(regex("^[a-z]+$", var.x))
  {"pattern":"^[a-z]+$","type":"string"}
can(regex("^\\d{2}$", var.x)) && length(var.x) <= 5
  {"maxLength":5,"pattern":"^\\d{2}$","type":"string"}
can(regex("(?i)^a$", var.x))
  {"type":"string"}
  left: can(regex("(?i)^a$", var.x))
can(regex("^\\pL+$", var.x))
  {"type":"string"}
  left: can(regex("^\\pL+$", var.x))
length(regexall("^a", var.x)) > 0
  {"pattern":"^a","type":"string"}
length(var.x) > 2 && 10 > length(var.x)
  {"maxLength":9,"minLength":3,"type":"string"}
var.x != ""
  {"minLength":1,"type":"string"}
startswith(var.x, "a.b")
  {"pattern":"^a\\.b","type":"string"}
var.x == null || contains(["a"], var.x)
  {"enum":["a",null],"type":["string","null"]}
var.x == null ? true : length(var.x) == 3
  {"maxLength":3,"minLength":3,"type":["string","null"]}
can(cidrhost(var.x, 0))
  {"type":"string"}
  left: can(cidrhost(var.x, 0))
!contains(["a"], var.x)
  {"type":"string"}
  left: !contains(["a"], var.x)
var.x >= 1 && var.x < 10
  {"exclusiveMaximum":10,"minimum":1,"type":"number"}
0 < var.x && -5 <= var.x
  {"exclusiveMinimum":0,"minimum":-5,"type":"number"}
floor(var.x) == var.x
  {"type":"integer"}
contains([1, 2.5, "3"], var.x)
  {"enum":[1,2.5,3],"type":"number"}
var.x <= var.y
  {"type":"number"}
  left: var.x <= var.y
var.x % 2 == 0
  {"type":"number"}
  left: var.x % 2 == 0
length(var.x) >= 1 && length(var.x) <= 3
  {"items":{"type":"string"},"maxItems":3,"minItems":1,"type":"array"}
alltrue([for v in var.x : v != ""])
  {"items":{"type":"string"},"type":"array"}
  left: alltrue([for v in var.x : v != ""])
length(var.x) < 4
  {"additionalProperties":{"type":"string"},"maxProperties":3,"type":"object"}
length(var.x.a) > 1
  {"additionalProperties":false,"properties":{"a":{"type":"string"}},"required":["a"],"type":"object"}
  left: length(var.x.a) > 1
"#);
}

#[test]
fn types_and_defaults() {
    let mut table = String::new();
    for body in [
        "type = bool\ndefault = \"true\"",
        "type = number\ndefault = \"5\"",
        "type = string\ndefault = 5",
        "type = string\ndefault = null",
        "type = string\nnullable = true\ndefault = \"a\"",
        "type = \"list\"\ndefault = []",
        "type = set(number)\ndefault = [1, 1, \"2\"]",
        "type = map(any)\ndefault = {}",
        "type = object({a = string, b = optional(number, 3), c = optional(list(string))})",
        "type = object({a = string})\ndefault = {a = null, b = 1}",
        "type = tuple([string, bool])\ndefault = [\"a\", true]",
        "default = -1.5",
        "type = string\ndefault = <<-EOT\n  a\n  b\n  EOT",
        "type = string\ndefault = \"${path.module}/x\"",
        "type = string\ndefault = \"{{ environment }}\"",
        "type = string\ndefault = \"$${x}\"",
        "type = strnig",
        "type = string\nsensitive = true",
        "type = string\nephemeral = true\ndefault = \"x\"",
        "type = number\ndefault = 99\nvalidation {\ncondition = var.x < 5\nerror_message = \"m\"\n}",
    ] {
        let (schema, notes) = variable(body);
        table.push_str(&format!("{}\n  {schema}\n", body.replace('\n', "; ")));
        for note in notes {
            table.push_str(&format!("  note: {note}\n"));
        }
    }
    insta::assert_snapshot!(table, @r#"
type = bool; default = "true"
  {"default":true,"type":"boolean"}
type = number; default = "5"
  {"default":5,"type":"number"}
type = string; default = 5
  {"default":"5","type":"string"}
type = string; default = null
  {"default":null,"type":["string","null"]}
type = string; nullable = true; default = "a"
  {"default":"a","type":["string","null"]}
type = "list"; default = []
  {"default":[],"items":{},"type":"array"}
type = set(number); default = [1, 1, "2"]
  {"default":[1,2],"items":{"type":"number"},"type":"array","uniqueItems":true}
type = map(any); default = {}
  {"additionalProperties":{},"default":{},"type":"object"}
type = object({a = string, b = optional(number, 3), c = optional(list(string))})
  {"additionalProperties":false,"properties":{"a":{"type":"string"},"b":{"default":3,"type":"number"},"c":{"items":{"type":"string"},"type":"array"}},"required":["a"],"type":"object"}
type = object({a = string}); default = {a = null, b = 1}
  {"additionalProperties":false,"default":{"a":null},"properties":{"a":{"type":["string","null"]}},"required":["a"],"type":"object"}
type = tuple([string, bool]); default = ["a", true]
  {"default":["a",true],"items":false,"minItems":2,"prefixItems":[{"type":"string"},{"type":"boolean"}],"type":"array"}
default = -1.5
  {"default":-1.5}
type = string; default = <<-EOT;   a;   b;   EOT
  {"default":"a\nb\n","type":"string"}
type = string; default = "${path.module}/x"
  {"type":"string"}
  note: "${path.module}/x"
type = string; default = "{{ environment }}"
  {"default":"{{ environment }}","type":"string"}
  note: has a default that a values file cannot hold as it is (an expression in braces, a hidden character or a number of too many digits); it is not in `base-values.yaml`
type = string; default = "$${x}"
  {"default":"${x}","type":"string"}
type = strnig
  {}
  note: strnig
type = string; sensitive = true
  null
  note: is sensitive, so it is not part of the schema, and it has no default: let the module read it from where secrets are kept
type = string; ephemeral = true; default = "x"
  null
  note: is ephemeral, so it is not part of the schema
type = number; default = 99; validation {; condition = var.x < 5; error_message = "m"; }
  {"default":99,"type":"number"}
  note: the validations refuse the module's own default, so they are not in the schema; correct one of the two
"#);
}

#[test]
fn variables_in_json_are_read_too() {
    let mut files = Files::new();
    let text = r#"{"variable": {"a": {"type": "${list(string)}", "default": ["x"], "validation": {"condition": "${length(var.a) > 0}", "error_message": "m"}}, "b": {"type": "number"}}}"#;
    files.insert("m/v.tf.json", text.as_bytes());
    let found = Module::read(&files, "m").and_then(|m| declared(&m, "m"));
    let Ok(found) = found else { panic!() };
    let kinds: Vec<_> = found
        .iter()
        .map(|d| format!("{:?} {}", d.kind, d.validations.len()))
        .collect();
    assert_eq!(kinds, ["Ok(List(Text)) 1", "Ok(Number) 0"]);
}

#[test]
fn t22_hostile_modules_end_with_a_place() {
    let deep = format!(
        "variable \"x\" {{\n  default = {}1{}\n}}\n",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let said = |hcl: &str| match made(hcl) {
        Ok(draft) => format!("{:?}", draft.notes),
        Err(e) => e.to_string(),
    };
    assert!(said(&deep).contains("line 2"), "{}", said(&deep));
    let types = format!(
        "variable \"x\" {{\n  type = {}string{}\n}}\n",
        "list(".repeat(5_000),
        ")".repeat(5_000)
    );
    assert!(said(&types).contains("line 2"), "{}", said(&types));
    assert!(said("variable \"x\" {").contains("variables.tf: not valid HCL"));
    assert!(
        said("variable \"x\" {}\nvariable \"x\" {}\n")
            .contains("declared already in module/variables.tf:1:1")
    );
    // Names that would be something else to a schema, a file or a page.
    let odd = made(
        "variable \"$ref\" {\n  type = string\n  default = \"a\"\n  description = \"</code>|\\n# x\"\n}\nvariable \"environments\" {}\n",
    );
    let Ok(odd) = odd else { panic!() };
    let schema = part(&odd, "products/net/values.schema.json");
    assert!(schema.contains("\"$ref\""), "{schema}");
    let many: String = (0..3_000)
        .map(|i| format!("variable \"v{i}\" {{\n  type = string\n  default = \"a\"\n}}\n"))
        .collect();
    let Ok(many) = made(&many) else { panic!() };
    assert!(part(&many, "products/net/README.md").contains("3000 keys"));
}

/// The draft as an estate in which one customer subscribes.
fn sound(draft: &Draft) -> Result<(), String> {
    let mut files = Files::new();
    for (path, bytes) in &draft.files {
        files.insert(path.as_str(), bytes.as_slice());
    }
    files.insert(
        "customers/acme/products.yaml",
        b"products:\n  - name: net\n".to_vec(),
    );
    let product = ProductId::new("net").map_err(|e| e.to_string())?;
    let found = check(&files, &product, None);
    if found.has_errors() {
        return Err(found.to_string());
    }
    let estate = Estate::read(files).map_err(|e| e.to_string())?;
    let rules = Rules::of(&estate).map_err(|e| e.to_string())?;
    for stack in estate.stacks() {
        resolve(&estate, &rules, &stack, None).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// A type, and a default of it, as HCL.
fn typed() -> impl Strategy<Value = (String, String)> {
    let leaf = prop_oneof![
        "[a-z{$%\"\\\\ .:#-]{0,8}".prop_map(|s| {
            let text = s
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace("${", "$${")
                .replace("%{", "%%{");
            ("string".to_owned(), format!("\"{text}\""))
        }),
        (-1000_i64..1000).prop_map(|n| ("number".to_owned(), n.to_string())),
        (-1000_i64..1000).prop_map(|n| ("number".to_owned(), format!("\"{n}\""))),
        any::<bool>().prop_map(|b| ("bool".to_owned(), b.to_string())),
        Just(("string".to_owned(), "null".to_owned())),
        Just(("any".to_owned(), "{}".to_owned())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|(t, d)| (format!("list({t})"), format!("[{d}, {d}]"))),
            inner
                .clone()
                .prop_map(|(t, d)| (format!("set({t})"), format!("[{d}, {d}]"))),
            inner
                .clone()
                .prop_map(|(t, d)| (format!("map({t})"), format!("{{ k = {d} }}"))),
            inner.clone().prop_map(|(t, d)| (
                format!("object({{ a = {t}, b = optional({t}, {d}) }})"),
                format!("{{ a = {d} }}")
            )),
            (inner.clone(), inner)
                .prop_map(|((t, d), (u, e))| (format!("tuple([{t}, {u}])"), format!("[{d}, {e}]"))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_schema_of_a_draft_accepts_the_defaults_of_the_module(
        variables in proptest::collection::vec(typed(), 1..5),
        limit in 0_i64..4,
    ) {
        let hcl: String = variables
            .iter()
            .enumerate()
            .map(|(i, (kind, default))| {
                format!("variable \"v{i}\" {{\n  type = {kind}\n  default = {default}\n  validation {{\n    condition = length(var.v{i}) >= {limit}\n    error_message = \"m\"\n  }}\n}}\n")
            })
            .collect();
        let draft = match made(&hcl) {
            Ok(draft) => draft,
            Err(e) => return Err(TestCaseError::fail(format!("{e}\n{hcl}"))),
        };
        if let Err(e) = sound(&draft) {
            return Err(TestCaseError::fail(format!("{e}\n{hcl}\n{}", part(&draft, "products/net/values.schema.json"))));
        }
    }
}

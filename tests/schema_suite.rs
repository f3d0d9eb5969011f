//! The JSON Schema Test Suite, through our own reading of schemas: with our pattern engine, with
//! formats asserted, without references that leave the product. The library runs the suite too;
//! what is tested here is that our settings change what is listed below, and nothing else.
//!
//! `tests/run` installs the suite into `.tools/`; it comes with the sources of Python's
//! `jsonschema` (`tests/json-schema-suite.txt`).

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use support::{Tested, skip, variable};
use tenantry::estate::schema::Schema;
use tenantry::estate::{Effective, Files};

/// Folder of the suite, what a schema of the draft declares, and how many tests give the answer
/// of the suite.
const DRAFTS: [(&str, &str, usize); 3] = [
    (
        "draft2020-12",
        "https://json-schema.org/draft/2020-12/schema",
        1739,
    ),
    (
        "draft2019-09",
        "https://json-schema.org/draft/2019-09/schema",
        1731,
    ),
    ("draft7", "http://json-schema.org/draft-07/schema#", 1347),
];

/// One test of the suite.
struct Test<'a> {
    draft: &'a str,
    file: &'a str,
    case: &'a str,
    name: &'a str,
}

/// What we do differently from the suite on purpose: why, and which tests. A test that is listed
/// here and gives the suite's answer fails, as does one that is not listed and does not.
type Difference = (&'static str, fn(&Test<'_>) -> bool);

const DIFFERENCES: &[Difference] = &[
    (
        "formats are asserted, also where the draft makes them annotations only",
        |t| {
            t.file == "format.json"
                && t.draft != "draft7"
                && t.name.ends_with("is only an annotation by default")
                && !t.case.starts_with("idn-")
        },
    ),
    (
        "a format that is not known, or not implemented, is a mistake in the schema",
        |t| {
            let unknown = ["idn-email format", "idn-hostname format"];
            t.file.starts_with("optional/format/idn-")
                || t.file == "optional/format/unknown.json"
                || t.file == "format.json" && unknown.contains(&t.case)
        },
    ),
    ("a reference never leaves the product's folder", |t| {
        let remote = [
            "tests for implementation dynamic anchor and reference link",
            "$ref and $dynamicAnchor are independent of order - $ref first",
            "$ref and $dynamicAnchor are independent of order - $defs first",
            "strict-tree schema, guards against misspelled properties",
            "$ref to $dynamicRef finds detached $dynamicAnchor",
        ];
        t.file == "refRemote.json"
            || t.file == "dynamicRef.json" && remote.contains(&t.case)
            || t.file == "optional/cross-draft.json"
    }),
    ("a meta-schema of somebody's own is not fetched", |t| {
        t.file == "vocabulary.json" || t.file == "optional/format-assertion.json"
    }),
];

fn folder() -> Option<PathBuf> {
    let tools = variable("TENANTRY_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools"),
        PathBuf::from,
    );
    Some(tools.join("json-schema-suite/tests")).filter(|f| f.is_dir())
}

/// The files of a draft, by their path below its folder.
fn files(folder: &Path, below: &str, out: &mut BTreeMap<String, PathBuf>) -> Tested {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &format!("{name}/"), out)?;
        } else if name.ends_with(".json") {
            out.insert(name, entry.path());
        }
    }
    Ok(())
}

/// Whether our answer is "valid"; `Err` says why the schema is refused.
fn judge(schema: &Schema, data: &Value) -> Result<bool, Box<dyn std::error::Error>> {
    let effective = Effective {
        stack: "acme/web/production".parse()?,
        layers: Vec::new(),
        values: data.clone(),
        contract: None,
    };
    let findings = schema.check(&effective);
    for finding in &findings {
        let message = &finding.message;
        assert!(
            message.len() < 2_000 && message.chars().all(|c| matches!(c, ' '..='~' | '…')),
            "{message}"
        );
    }
    Ok(findings.is_empty())
}

#[test]
fn t10_the_suite_is_passed_but_for_what_we_do_differently() -> Tested {
    let Some(folder) = folder() else {
        return skip(
            "t10_the_suite_is_passed_but_for_what_we_do_differently",
            "the JSON Schema Test Suite is not installed; run tests/run",
        );
    };
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (draft, declares, expected) in DRAFTS {
        let mut found = BTreeMap::new();
        files(&folder.join(draft), "", &mut found)?;
        let (mut same, mut different) = (0, 0);
        for (file, path) in &found {
            let cases: Value = serde_json::from_slice(&std::fs::read(path)?)?;
            for case in cases.as_array().ok_or("no cases")? {
                let mut document = case["schema"].clone();
                if let Value::Object(map) = &mut document {
                    map.entry("$schema").or_insert(Value::from(declares));
                }
                let schema = Schema::read(
                    &Files::new(),
                    "products/web/values.schema.json",
                    "products/web",
                    document.to_string().as_bytes(),
                );
                for test in case["tests"].as_array().ok_or("no tests")? {
                    let at = Test {
                        draft,
                        file,
                        case: case["description"].as_str().ok_or("no description")?,
                        name: test["description"].as_str().ok_or("no description")?,
                    };
                    let answer = match &schema {
                        Ok(schema) => Ok(judge(schema, &test["data"])?),
                        Err(e) => Err(e),
                    };
                    let agrees = answer.as_ref().ok() == test["valid"].as_bool().as_ref();
                    let listed: Vec<usize> = (0..DIFFERENCES.len())
                        .filter(|i| DIFFERENCES[*i].1(&at))
                        .collect();
                    used.extend(listed.iter().copied());
                    match (agrees, listed.is_empty()) {
                        (true, true) => same += 1,
                        (false, false) => different += 1,
                        (true, false) => wrong.push(format!(
                            "{draft}/{file}: {} / {}: is listed as different, and is not",
                            at.case, at.name
                        )),
                        (false, true) => wrong.push(format!(
                            "{draft}/{file}: {} / {}: {answer:?}",
                            at.case, at.name
                        )),
                    }
                }
            }
        }
        println!("{draft}: {same} as the suite says, {different} different on purpose");
        if same != expected {
            wrong.push(format!(
                "{draft}: {same} tests as the suite says, expected {expected}"
            ));
        }
    }
    let unused: Vec<&str> = (0..DIFFERENCES.len())
        .filter(|i| !used.contains(i))
        .map(|i| DIFFERENCES[i].0)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unused.is_empty(), "nothing differs because: {unused:?}");
    Ok(())
}

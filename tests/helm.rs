//! Our merge against Helm's own, measured: `files` merged left to right are `merged_files`, for
//! every version of Helm that was measured.

mod support;

use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use support::{Tested, skip};
use tenantry::estate::layers::{Layer, Part, merge};
use tenantry::estate::yaml::{Reading, read};

/// Beside the repository, and read there: the measurements belong to nobody's copy.
const CASES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/data/helm_merge_cases.json"
);

/// JSON is YAML, so a file of the measurements goes through the reader that a customer's file
/// goes through, strictly.
fn layer(number: usize, file: &Value) -> Result<Layer, Box<dyn std::error::Error>> {
    let path = format!("values-{number}.json");
    let node = read(&path, file.to_string().as_bytes(), Reading::Strict)?;
    assert_eq!(&node.to_json(), file, "{path} is read as something else");
    Ok(Layer {
        name: "file",
        path: path.into(),
        node: Arc::new(node),
        part: Part::Whole,
    })
}

#[test]
fn files_are_merged_as_every_measured_version_of_helm_merges_them() -> Tested {
    if !Path::new(CASES).is_file() {
        return skip(
            "files_are_merged_as_every_measured_version_of_helm_merges_them",
            "Helm's measured cases (shared/data/helm_merge_cases.json) are not beside the repository",
        );
    }
    let measured: Value = serde_json::from_slice(&std::fs::read(CASES)?)?;
    let versions = measured["versions"].as_array().ok_or("no versions")?;
    let cases = measured["cases"].as_array().ok_or("no cases")?;
    let mut compared = 0;
    for case in cases {
        let name = case["name"].as_str().ok_or("a case without a name")?;
        let files = case["files"].as_array().ok_or("a case without files")?;
        let layers: Vec<Layer> = files
            .iter()
            .enumerate()
            .map(|(i, file)| layer(i + 1, file).map_err(|e| format!("{name}: {e}")))
            .collect::<Result<_, _>>()?;
        let ours = Value::Object(merge(&layers));
        for version in versions.iter().filter_map(Value::as_str) {
            let theirs = &case["results"][version]["merged_files"];
            assert_eq!(&ours, theirs, "{name}, Helm {version}");
            compared += 1;
        }
    }
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    assert_eq!(compared, cases.len() * versions.len());
    Ok(())
}

//! How long a whole estate takes: `cargo bench --bench estate`.
//!
//! Generates customers × 2 products × 3 environments in a temporary folder, always the same, and
//! measures in a process of its own for each size, so that the peak of memory is that size's.
//! Best and median of some rounds; files are in the page cache. docs/performance.md has figures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark is a program that prints"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tenantry::cli::folder;
use tenantry::estate::lint::lint;
use tenantry::estate::resolve::{Contract, ContractFile, Rules, read_contract};
use tenantry::estate::{Estate, check};

const PRODUCTS: [&str; 2] = ["web", "data"];
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "production"];
const ROUNDS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--measure") {
        return measure(Path::new(&args[at + 1]), args[at + 2] == "policy");
    }
    println!(
        "{:>9} {:>8} {:>7} {:>22} {:>22} {:>22} {:>22} {:>9}",
        "customers",
        "stacks",
        "files",
        "load (best, median)",
        "check (best, median)",
        "both (best, median)",
        "lints (best, median)",
        "peak"
    );
    for (customers, policy) in [(100, false), (1_000, false), (10_000, false), (1_000, true)] {
        let dir =
            std::env::temp_dir().join(format!("tenantry-bench-{}-{customers}", std::process::id()));
        generate(&dir, customers, policy);
        let status = Command::new(&args[0])
            .args([
                "--measure",
                dir.to_str().unwrap(),
                if policy { "policy" } else { "none" },
            ])
            .status()
            .unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(status.success());
    }
}

fn measure(dir: &Path, policy: bool) {
    let mut loads = Vec::new();
    let mut checks = Vec::new();
    let mut both = Vec::new();
    let mut lints = Vec::new();
    let mut shape = (0, 0, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let files = folder::read(&dir.join("estate")).unwrap();
        let count = files.len();
        let estate = Estate::read(files).unwrap();
        let rules = Rules::of(&estate).unwrap();
        let load = start.elapsed();
        let checkouts = dir.join("checkouts");
        let checked = check(&estate, &rules, |customer, path| {
            let bytes = std::fs::read(checkouts.join(customer.as_str()).join(path)).unwrap();
            let file = ContractFile {
                path: path.to_owned(),
                bytes,
            };
            let contract: Contract = read_contract(&file, &ENVIRONMENTS).unwrap();
            Some(contract)
        });
        let all = start.elapsed();
        assert_eq!(checked.findings.0, []);
        let start = Instant::now();
        assert_eq!(lint(&estate), []);
        lints.push(start.elapsed());
        loads.push(load);
        checks.push(all - load);
        both.push(all);
        shape = (
            estate.customers.len(),
            checked.stacks,
            count + 2 * estate.customers.len(),
        );
    }
    println!(
        "{:>9} {:>8} {:>7} {:>22} {:>22} {:>22} {:>22} {:>6} MB{}",
        shape.0,
        shape.1,
        shape.2,
        figures(loads),
        figures(checks),
        figures(both),
        figures(lints),
        peak_megabytes(),
        if policy { "  with a policy" } else { "" }
    );
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    format!(
        "{:.0} ms, {:.0} ms",
        ms(times[0]),
        ms(times[times.len() / 2])
    )
}

/// `VmHWM` of this process, Linux only.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM:"))
        .unwrap_or("VmHWM: 0 kB");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn generate(dir: &Path, customers: usize, policy: bool) {
    let estate = dir.join("estate");
    write(
        &estate.join("tenantry.yml"),
        "version: 1\nmanager: provider/infra-manager\n",
    );
    for product in PRODUCTS {
        let folder = estate.join("products").join(product);
        write(
            &folder.join("product.yaml"),
            "engine: argocd\nenvironments: [dev, staging, production]\n",
        );
        write(&folder.join("base-values.yaml"), BASE);
        for (i, environment) in ENVIRONMENTS.iter().enumerate() {
            write(
                &folder.join(format!("environments/{environment}.yaml")),
                &format!(
                    "replicas: {}\nresources:\n  requests: {{cpu: {}m, memory: {}Mi}}\nlog_level: {}\n",
                    i + 1,
                    100 * (i + 1),
                    128 << i,
                    ["debug", "info", "warn"][i]
                ),
            );
        }
        write(&folder.join("values.schema.json"), SCHEMA);
    }
    if policy {
        write(&estate.join("policies/limits.rego"), POLICY);
    }
    // A linear congruential generator: the same estate on every machine.
    let mut seed: u64 = 0x7465_6e61_6e74_7279;
    let mut pick = |n: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for i in 0..customers {
        let id = format!("customer-{i:05}");
        let folder = estate.join("customers").join(&id);
        write(
            &folder.join("metadata.yaml"),
            &format!(
                "customer: {id}\nname: Customer {i}\ntier: {}\nregion: eu-west-1\ncontact: ops@{id}.example\nrepository: {id}/infra\nrepository_id: {}\nwave: {}\nstatus: active\n",
                ["bronze", "silver", "gold"][pick(3) as usize],
                100_000 + i,
                pick(4)
            ),
        );
        let mut products = "products:\n".to_owned();
        for product in PRODUCTS {
            write!(products, "  - name: {product}\n    enabled: true\n    version: 1.{}.{}\n    variables: infra/{product}.yml\n", pick(9), pick(20)).unwrap();
            write(
                &folder.join(product).join("values.yaml"),
                &format!(
                    "# Held for {id}\nimage:\n  tag: v{}.{}\nservice:\n  port: {}\nfeatures: [search, export{}]\nlimits:\n  requests_per_second: {}\n",
                    pick(5),
                    pick(30),
                    8000 + pick(100),
                    if pick(2) == 0 { ", audit" } else { "" },
                    10 * (1 + pick(50))
                ),
            );
            if pick(3) == 0 {
                write(
                    &folder.join(product).join("environments/production.yaml"),
                    &format!("replicas: {}\n", 3 + pick(5)),
                );
            }
            write(
                &dir.join("checkouts")
                    .join(&id)
                    .join(format!("infra/{product}.yml")),
                &format!(
                    "project_name: shop-{i}\ntags:\n  owner: team-{}\n  cost_center: \"{}\"\n  environment: \"{{{{ environment }}}}\"\n  name: \"{{{{ project_name }}}}-{{{{ environment }}}}\"\ndatabase:\n  size: {}\n  backup_days: {}\nenvironments:\n  dev:\n    database: {{size: small}}\n  production:\n    replicas: {}\n    database:\n      backup_days: 30\n",
                    pick(20),
                    1000 + pick(9000),
                    ["small", "medium", "large"][pick(3) as usize],
                    1 + pick(14),
                    2 + pick(6)
                ),
            );
        }
        write(&folder.join("products.yaml"), &products);
    }
}

const BASE: &str = "\
image: {repository: provider/app, tag: latest, pull_policy: IfNotPresent}
replicas: 1
log_level: info
service: {type: ClusterIP, port: 80, annotations: {}}
ingress:
  enabled: true
  class: nginx
  hosts: []
  tls: {enabled: true, issuer: letsencrypt}
resources:
  requests: {cpu: 100m, memory: 128Mi}
  limits: {cpu: \"1\", memory: 512Mi}
database: {engine: postgres, version: \"16\", size: small, backup_days: 7, encrypted: true}
tags: {managed_by: tenantry, product: \"{{ product }}\", customer: \"{{ customer }}\"}
features: []
limits: {requests_per_second: 100, burst: 200}
monitoring: {enabled: true, scrape_interval: 30, alerts: {cpu: 80, memory: 85, latency_ms: 500}}
probes:
  liveness: {path: /healthz, period: 10}
  readiness: {path: /ready, period: 5}
";

const POLICY: &str = "\
package tenantry.limits

deny contains {\"msg\": \"production needs at least two replicas\", \"path\": \"replicas\"} if {
\tinput.stack.environment == \"production\"
\tinput.values.replicas < 2
}
";

const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["project_name", "replicas", "image", "database"],
  "$defs": {
    "quantity": {"type": "string", "pattern": "^[0-9]+(m|Mi|Gi)?$"},
    "resources": {"type": "object", "additionalProperties": false, "properties": {"cpu": {"$ref": "#/$defs/quantity"}, "memory": {"$ref": "#/$defs/quantity"}}}
  },
  "properties": {
    "project_name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,30}$"},
    "image": {"type": "object", "required": ["repository", "tag"], "additionalProperties": false, "properties": {"repository": {"type": "string"}, "tag": {"type": "string", "maxLength": 128}, "pull_policy": {"enum": ["Always", "IfNotPresent", "Never"]}}},
    "replicas": {"type": "integer", "minimum": 1, "maximum": 50},
    "log_level": {"enum": ["debug", "info", "warn", "error"]},
    "service": {"type": "object", "additionalProperties": false, "properties": {"type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, "port": {"type": "integer", "minimum": 1, "maximum": 65535}, "annotations": {"type": "object", "additionalProperties": {"type": "string"}}}},
    "ingress": {"type": "object", "additionalProperties": false, "properties": {"enabled": {"type": "boolean"}, "class": {"type": "string"}, "hosts": {"type": "array", "items": {"type": "string", "format": "hostname"}}, "tls": {"type": "object", "properties": {"enabled": {"type": "boolean"}, "issuer": {"type": "string"}}}}},
    "resources": {"type": "object", "additionalProperties": false, "properties": {"requests": {"$ref": "#/$defs/resources"}, "limits": {"$ref": "#/$defs/resources"}}},
    "database": {"type": "object", "additionalProperties": false, "properties": {"engine": {"enum": ["postgres", "mysql"]}, "version": {"type": "string"}, "size": {"enum": ["small", "medium", "large"]}, "backup_days": {"type": "integer", "minimum": 1, "maximum": 35}, "encrypted": {"const": true}}},
    "tags": {"type": "object", "maxProperties": 20, "propertyNames": {"pattern": "^[a-z_]+$"}, "additionalProperties": {"type": "string", "maxLength": 256}},
    "features": {"type": "array", "uniqueItems": true, "items": {"enum": ["search", "export", "audit"]}},
    "limits": {"type": "object", "properties": {"requests_per_second": {"type": "integer", "minimum": 1}, "burst": {"type": "integer", "minimum": 1}}},
    "monitoring": {"type": "object", "properties": {"enabled": {"type": "boolean"}, "scrape_interval": {"type": "integer"}, "alerts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}}},
    "probes": {"type": "object", "additionalProperties": {"type": "object", "required": ["path"], "properties": {"path": {"type": "string", "pattern": "^/"}, "period": {"type": "integer"}}}}
  }
}
"##;

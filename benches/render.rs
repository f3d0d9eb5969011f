//! How long a large plan takes: `cargo bench --bench render`.
//!
//! Generates plans as `terraform show -json` prints them and texts, always the same, and measures
//! each in a process of its own, so that the peak of memory is that one's: reading the file,
//! parsing, learning secrets, hiding them, rendering. Best and median of some rounds; files are in
//! the page cache. docs/performance.md has figures.

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
use tenantry::engine::plan_json;
use tenantry::engine::redact::Redactor;
use tenantry::report::plan;

const ROUNDS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--measure") {
        return measure(&args[at + 1], Path::new(&args[at + 2]));
    }
    println!(
        "{:<32} {:>8} {:>22} {:>8} {:>9}",
        "input", "size", "time (best, median)", "bodies", "peak"
    );
    let dir = std::env::temp_dir().join(format!("tenantry-bench-render-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for times in [1, 2, 4] {
        let file = dir.join("plan.json");
        std::fs::write(&file, generate(15_000 * times)).unwrap();
        run(&args[0], "plan", &file);
        run(&args[0], "plan-all", &file);
    }
    for times in [1, 2, 4] {
        let file = dir.join("text.log");
        std::fs::write(&file, log(20_000_000 * times)).unwrap();
        run(&args[0], "text", &file);
        run(&args[0], "text-redacted", &file);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn run(program: &str, what: &str, file: &Path) {
    let status = Command::new(program)
        .args(["--measure", what, file.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn measure(what: &str, file: &Path) {
    let mut times = Vec::new();
    let (mut bodies, mut size, mut label) = (0, 0, String::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let bytes = std::fs::read(file).unwrap();
        size = bytes.len();
        let done = match what {
            "text" => {
                label = "text".to_owned();
                plan::text_bodies(&String::from_utf8(bytes).unwrap(), None)
            }
            "text-redacted" => {
                label = "text, redacted first".to_owned();
                let text = String::from_utf8(bytes).unwrap();
                plan::text_bodies(&Redactor::default().text(&text), None)
            }
            _ => {
                let mut redactor = Redactor::default();
                let changes = plan_json::read(&bytes, &mut redactor).unwrap();
                drop(bytes);
                let all = what == "plan-all";
                label = format!(
                    "plan, {} resources{}",
                    changes.changes.len(),
                    if all { ", no limit" } else { "" }
                );
                plan::bodies(&changes, (!all).then_some(plan::BODIES))
            }
        };
        times.push(start.elapsed());
        assert!(done.iter().all(|b| b.len() <= 60_000));
        assert!(what == "text" || done.iter().all(|b| !b.contains("s3cr3t-")));
        bodies = done.len();
    }
    println!(
        "{label:<32} {:>5} MB {:>22} {bodies:>8} {:>6} MB",
        size / 1_000_000,
        figures(times),
        peak_megabytes()
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

/// A linear congruential generator: the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A plan of `count` resources with all parts that Terraform writes. Each resource has a secret
/// of its own, marked.
fn generate(count: usize) -> String {
    let mut dice = Dice(0x7465_6e61_6e74_7279);
    let (mut planned, mut changes, mut prior, mut config) =
        (String::new(), String::new(), String::new(), String::new());
    for i in 0..count {
        let comma = if i == 0 { "" } else { "," };
        let address = format!("aws_ssm_parameter.p[\\\"{i:06}\\\"]");
        let id = format!("{:016x}{:016x}", dice.next(1 << 30), dice.next(1 << 30));
        let values = |version: u64| {
            format!(
                r#"{{"arn":"arn:aws:ssm:eu-west-1:123456789012:parameter/shop/{i:06}","description":"Setting {i} of the shop, held by team {} and looked at once a year","name":"/shop/{i:06}","tags":{{"owner":"team-{}","cost":"{}"}},"value":"s3cr3t-{id}","version":{version}}}"#,
                i % 20,
                i % 20,
                1000 + i % 9000
            )
        };
        let (actions, before, after) = match dice.next(10) {
            0 => (r#"["create"]"#, "null".to_owned(), values(1)),
            1 if i % 50 == 1 => (r#"["delete"]"#, values(1), "null".to_owned()),
            _ => (r#"["update"]"#, values(1), values(2)),
        };
        let head = format!(
            r#""address":"{address}","mode":"managed","type":"aws_ssm_parameter","name":"p","index":"{i:06}","provider_name":"registry.terraform.io/hashicorp/aws""#
        );
        write!(planned, r#"{comma}{{{head},"schema_version":0,"values":{},"sensitive_values":{{"tags":{{}},"value":true}}}}"#, values(2)).unwrap();
        write!(prior, r#"{comma}{{{head},"schema_version":0,"values":{},"sensitive_values":{{"tags":{{}},"value":true}}}}"#, values(1)).unwrap();
        write!(changes, r#"{comma}{{{head},"change":{{"actions":{actions},"before":{before},"after":{after},"after_unknown":{{"tags":{{}}}},"before_sensitive":{{"tags":{{}},"value":true}},"after_sensitive":{{"tags":{{}},"value":true}}}}}}"#).unwrap();
        if i % 100 == 0 {
            write!(config, r#"{comma}{{"address":"aws_ssm_parameter.p{i}","mode":"managed","type":"aws_ssm_parameter","name":"p{i}","expressions":{{"name":{{"constant_value":"/shop"}}}}}}"#).unwrap();
        }
    }
    format!(
        r#"{{"format_version":"1.2","terraform_version":"1.11.4","variables":{{"region":{{"value":"eu-west-1"}}}},"planned_values":{{"root_module":{{"resources":[{planned}]}}}},"resource_changes":[{changes}],"prior_state":{{"format_version":"1.0","values":{{"root_module":{{"resources":[{prior}]}}}}}},"configuration":{{"root_module":{{"resources":[{config}]}}}},"timestamp":"2026-11-21T00:00:00Z"}}"#
    )
}

/// The output of an apply of about `size` bytes, with other than ASCII characters in it.
fn log(size: usize) -> String {
    let mut dice = Dice(42);
    let mut out = String::with_capacity(size + 200);
    let mut i = 0;
    while out.len() < size {
        i += 1;
        match dice.next(40) {
            0 => writeln!(out, "  + db_password = \"s3cr3t-{i}\"").unwrap(),
            1 => writeln!(out, "  │ größer als erlaubt – 設定 {i}").unwrap(),
            2 => writeln!(out, "  ~ note = {:?}", "x".repeat(400)).unwrap(),
            _ => writeln!(
                out,
                "aws_ssm_parameter.p[{i}]: Modifying... [id=/shop/{:06}]",
                dice.next(999_999)
            )
            .unwrap(),
        }
    }
    out
}

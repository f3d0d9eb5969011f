//! The seeds of the fuzz targets and some thousand cheap mutations of them, with the stable
//! compiler and in every run: what `fuzz/run` looks for at length.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read its own repository has failed"
)]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The seeds of a target by name.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(root().join("fuzz/corpus").join(target))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// The words of a dictionary of libFuzzer.
fn words(file: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("fuzz").join(file)).unwrap();
    let quoted = |line: &str| Some(word(line.strip_prefix('"')?.strip_suffix('"')?));
    text.lines().filter_map(quoted).collect()
}

fn word(quoted: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = quoted.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
        } else if let Some(hex) = after.strip_prefix(b"x") {
            let digits = std::str::from_utf8(&hex[..2]).unwrap();
            out.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &hex[2..];
        } else {
            out.push(after[0]);
            rest = &after[1..];
        }
    }
    out
}

/// Numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

/// One to four small changes.
fn mutated(seed: &[u8], other: &[u8], words: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(out.len() + 1);
        let to = (at + 1 + dice.below(8)).min(out.len());
        match dice.below(6) {
            0 => drop(out.drain(at..to)),
            1 => drop(out.splice(at..at, words[dice.below(words.len())].clone())),
            2 if at < out.len() => out[at] ^= 1 << dice.below(8),
            3 => {
                let part = out[at..to].to_vec();
                drop(out.splice(at..at, part));
            }
            4 => {
                let from = dice.below(other.len() + 1);
                let part = &other[from..(from + dice.below(32)).min(other.len())];
                drop(out.splice(at..at, part.to_vec()));
            }
            _ if at < out.len() => out[at] = b" \n\"'{}[]:-#&*!|>0aA"[dice.below(19)],
            _ => out.push(b'\n'),
        }
    }
    out.truncate(4_096);
    out
}

fn run(target: targets::Target, what: &str, input: &[u8]) {
    let shown = String::from_utf8_lossy(input).into_owned();
    assert!(
        catch_unwind(|| target(input)).is_ok(),
        "{what} fails for the input\n{shown}\nas bytes: {input:?}"
    );
}

#[test]
fn t20_every_seed_holds() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 15, "{name}: {} seeds", seeds.len());
        for (seed, input) in seeds {
            run(target, &format!("{name}/{seed}"), &input);
        }
    }
}

#[test]
fn t20_mutations_of_the_seeds_hold() {
    for (name, target) in targets::TARGETS {
        // Like `fuzz/run`: a dictionary of its own, or that of YAML.
        let own = format!("{name}.dict");
        let own_is_there = root().join("fuzz").join(&own).exists();
        let words = words(if own_is_there { &own } else { "yaml.dict" });
        assert!(words.len() >= 30, "{name}: {} words", words.len());
        let seeds: Vec<Vec<u8>> = seeds(name).into_values().collect();
        let mut dice = Dice(0x7465_6e61_6e74_7279);
        let rounds = match name {
            "contract" | "plan" => 600,
            "render" => 200,
            _ => 1_500,
        };
        for i in 0..rounds {
            let seed = &seeds[dice.below(seeds.len())];
            let other = &seeds[dice.below(seeds.len())];
            let input = mutated(seed, other, &words, &mut dice);
            run(target, &format!("{name}, mutation {i}"), &input);
        }
    }
}

/// The lines of a manifest's dependencies.
fn dependencies(manifest: &str) -> Vec<String> {
    fs::read_to_string(root().join(manifest))
        .unwrap()
        .lines()
        .skip_while(|l| *l != "[dependencies]")
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .filter(|l| l.contains(" = "))
        .map(str::to_owned)
        .collect()
}

/// Name and version of every package in a lock file.
fn locked(lock: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(lock)).unwrap();
    let packages = text.split("[[package]]").skip(1);
    packages
        .map(|package| {
            let of = |key: &str| {
                let line = package.lines().find_map(|l| l.strip_prefix(key));
                line.unwrap_or_default().trim_matches('"').to_owned()
            };
            (of("name = "), of("version = "))
        })
        .collect()
}

/// What is fuzzed is what is shipped: the same dependencies, with the same features, in the same
/// versions.
#[test]
fn what_is_fuzzed_is_what_is_shipped() {
    let shipped = dependencies("Cargo.toml");
    let fuzzed = dependencies("fuzz/room/Cargo.toml");
    assert!(fuzzed.len() >= 8, "{fuzzed:?}");
    for line in &fuzzed {
        assert!(shipped.contains(line), "fuzz/room/Cargo.toml: {line}");
    }
    let shipped = locked("Cargo.lock");
    let own = ["tenantry", "tenantry-fuzz", "libfuzzer-sys", "arbitrary"];
    for package in locked("fuzz/Cargo.lock") {
        assert!(
            own.contains(&package.0.as_str()) || shipped.contains(&package),
            "fuzz/Cargo.lock: {} {}; copy Cargo.lock over it and run `cargo update --workspace` in fuzz/",
            package.0,
            package.1
        );
    }
}

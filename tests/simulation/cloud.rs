//! What Terraform changes, and a Terraform that works on it: two resources for each stack, a
//! state with a serial, a lock, and no check of its own that a saved plan still fits.

use super::world::{Fate, Job};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tenantry::engine::launch::{Launch, Output, Run};

/// The resources of a stack, in the order in which they are changed.
const RESOURCES: [&str; 2] = ["network", "service"];

/// One stack's infrastructure and state.
#[derive(Debug, Default, Clone)]
pub struct Stack {
    /// Value by resource.
    pub resources: BTreeMap<String, String>,
    /// Counts the changes.
    pub serial: u64,
    /// Who holds Terraform's own lock.
    pub lock: Option<String>,
    /// How many applies are at it now.
    pub applying: u64,
}

/// Everything there is, by state key.
#[derive(Debug, Default)]
pub struct Cloud {
    /// By state key.
    pub stacks: BTreeMap<String, Stack>,
}

impl Cloud {
    /// Whether all of a stack has this value.
    pub fn is(&self, stack: &str, value: &str) -> bool {
        let key = format!("{stack}/terraform.tfstate");
        self.stacks.get(&key).is_some_and(|s| {
            RESOURCES
                .iter()
                .all(|r| s.resources.get(*r).map(String::as_str) == Some(value))
        })
    }
}

/// Terraform on one runner.
#[derive(Debug)]
pub struct Tool {
    /// The job that starts it.
    pub job: Job,
}

fn good(stdout: Value) -> Output {
    Output {
        success: true,
        stdout: stdout.to_string().into_bytes(),
        stderr: Vec::new(),
    }
}

fn bad(stderr: &str) -> Output {
    Output {
        success: false,
        stdout: Vec::new(),
        stderr: stderr.as_bytes().to_vec(),
    }
}

/// What Terraform says of somebody else's lock.
fn locked(who: &str) -> String {
    format!(
        "Error: Error acquiring the state lock\nLock Info:\n  ID:        1\n  Operation: OperationTypeApply\n  Who:       {who}\n"
    )
}

fn file(folder: &Path, name: &str) -> std::io::Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(folder.join(name))?)?)
}

/// The state key of a working folder.
fn key(folder: &Path) -> std::io::Result<String> {
    let backend = file(folder, "backend_override.tf.json")?;
    let key = backend.pointer("/terraform/backend/s3/key");
    Ok(key.and_then(Value::as_str).unwrap_or("none").to_owned())
}

impl Launch for Tool {
    fn launch<'a>(&'a self, run: Run<'a>) -> BoxFuture<'a, std::io::Result<Output>> {
        Box::pin(async move {
            let key = key(run.folder)?;
            match run.args {
                ["init", ..] => Ok(good(Value::Null)),
                ["version", ..] => Ok(good(
                    json!({"terraform_version": "1.11.4", "platform": "linux_amd64"}),
                )),
                ["state", ..] => Ok(self.state(&key)),
                ["plan", rest @ ..] => {
                    let out = rest.iter().find_map(|a| a.strip_prefix("-out="));
                    self.plan(run.folder, &key, out, rest.contains(&"-lock=false"))
                        .await
                }
                ["show", .., plan] if !plan.starts_with('-') => self.show(run.folder, plan),
                ["show", ..] => Ok(good(json!({"format_version": "1.0"}))),
                ["apply", .., plan] => {
                    let mut told = String::new();
                    let done = self.apply(run.folder, &key, plan, &mut told).await;
                    if let Some(file) = run.into {
                        std::fs::write(file, told)?;
                    }
                    done
                }
                other => Ok(bad(&format!("this Terraform does not know {other:?}"))),
            }
        })
    }
}

impl Tool {
    fn state(&self, key: &str) -> Output {
        let world = self.job.shared.world();
        match world.cloud.stacks.get(key).filter(|s| s.serial > 0) {
            Some(stack) => good(json!({"lineage": key, "serial": stack.serial})),
            None => Output {
                success: true,
                stdout: Vec::new(),
                stderr: Vec::new(),
            },
        }
    }

    /// Computes the changes and saves them.
    async fn plan(
        &self,
        folder: &Path,
        key: &str,
        out: Option<&str>,
        free: bool,
    ) -> std::io::Result<Output> {
        match self.job.cross("terraform plan").await {
            Fate::Fine | Fate::Limited => {}
            Fate::LastAct => {
                self.job.die().await;
            }
            Fate::Refused | Fate::Lost => return Ok(bad("Error: the provider cannot be reached")),
        }
        let variables = file(folder, "terraform.tfvars.json")?;
        let word = |name: &str| variables[name].as_str().unwrap_or_default();
        let wanted = format!("{} in {}", word("release"), word("region"));
        let stack = {
            let mut world = self.job.shared.world();
            world
                .cloud
                .stacks
                .entry(key.to_owned())
                .or_default()
                .clone()
        };
        if let Some(who) = stack.lock.filter(|_| !free) {
            return Ok(bad(&locked(&who)));
        }
        let changes: Vec<Value> = RESOURCES
            .iter()
            .filter(|r| stack.resources.get(**r).map(String::as_str) != Some(wanted.as_str()))
            .map(|r| json!({"resource": r, "from": stack.resources.get(*r), "to": wanted}))
            .collect();
        let saved = json!({"key": key, "serial": stack.serial, "changes": changes});
        if let Some(out) = out {
            std::fs::write(folder.join(out), saved.to_string())?;
        }
        Ok(good(Value::Null))
    }

    /// A saved plan as JSON.
    fn show(&self, folder: &Path, plan: &str) -> std::io::Result<Output> {
        let saved = file(folder, plan)?;
        let changes: Vec<Value> = saved["changes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| {
                let side = |v: &Value| match v {
                    Value::Null => Value::Null,
                    v => json!({"release": v}),
                };
                let action = if c["from"].is_null() { "create" } else { "update" };
                json!({
                    "address": format!("terraform_data.{}", c["resource"].as_str().unwrap_or_default()),
                    "change": {"actions": [action], "before": side(&c["from"]), "after": side(&c["to"]),
                        "after_unknown": {}, "before_sensitive": false, "after_sensitive": {}},
                })
            })
            .collect();
        Ok(good(
            json!({"format_version": "1.2", "resource_changes": changes}),
        ))
    }

    /// Carries out a saved plan, resource by resource. It looks at nothing: what it should not
    /// have done is found by whoever reads `wrong`.
    async fn apply(
        &self,
        folder: &Path,
        key: &str,
        plan: &str,
        told: &mut String,
    ) -> std::io::Result<Output> {
        let saved = file(folder, plan)?;
        {
            let mut world = self.job.shared.world();
            let stack = world.cloud.stacks.entry(key.to_owned()).or_default();
            if let Some(who) = &stack.lock {
                return Ok(bad(&locked(who)));
            }
            stack.applying += 1;
            let (now, serial) = (stack.applying, stack.serial);
            if now > 1 {
                world.wrong(format!("{key}: two applies at once"));
            }
            if saved["key"] != key {
                world.wrong(format!("{key}: a plan of {} was applied", saved["key"]));
            }
            if saved["serial"] != serial {
                world.wrong(format!(
                    "{key}: a plan for serial {} was applied at {serial}",
                    saved["serial"]
                ));
            }
            world.seen.applies += 1;
        }
        let guard = Applying {
            job: &self.job,
            key,
        };
        for change in saved["changes"].as_array().into_iter().flatten() {
            let text = |at: &str| change[at].as_str().unwrap_or_default().to_owned();
            let (resource, to) = (text("resource"), text("to"));
            let action = if change["from"].is_null() {
                "create"
            } else {
                "update"
            };
            let mut tell = |what: &str| {
                let event = json!({"type": what, "hook": {"resource": {"addr": format!("terraform_data.{resource}")}, "action": action}});
                told.push_str(&format!("{event}\n"));
            };
            tell("apply_start");
            let fate = self
                .job
                .cross(&format!("change {key} {resource} to {to}"))
                .await;
            if matches!(fate, Fate::Refused) {
                tell("apply_errored");
                return Ok(bad(&format!("Error: the cloud refused {resource}")));
            }
            {
                let mut world = self.job.shared.world();
                let odds = world.odds.cloud;
                if world.chance(odds) {
                    tell("apply_errored");
                    return Ok(bad(&format!("Error: the cloud has no room for {resource}")));
                }
                let stack = world.cloud.stacks.entry(key.to_owned()).or_default();
                let was = stack.resources.insert(resource.clone(), to.clone());
                stack.serial += 1;
                if was.as_deref() != change["from"].as_str() {
                    world.wrong(format!(
                        "{key} {resource}: changed from {was:?}, planned from {}",
                        change["from"]
                    ));
                }
                *world
                    .seen
                    .became
                    .entry((key.to_owned(), resource.clone(), to))
                    .or_default() += 1;
            }
            tell("apply_complete");
            if fate == Fate::LastAct {
                let lock = self.job.shared.world().chance(3_000);
                if lock {
                    let mut world = self.job.shared.world();
                    let who = self.job.name.clone();
                    world.cloud.stacks.entry(key.to_owned()).or_default().lock = Some(who);
                }
                self.job.die().await;
            }
        }
        drop(guard);
        Ok(good(Value::Null))
    }
}

/// An apply at work; also one that is killed ends.
struct Applying<'a> {
    job: &'a Job,
    key: &'a str,
}

impl Drop for Applying<'_> {
    fn drop(&mut self) {
        let mut world = self.job.shared.world();
        if let Some(stack) = world.cloud.stacks.get_mut(self.key) {
            stack.applying -= 1;
        }
    }
}

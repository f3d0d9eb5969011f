//! Plans one stack of a request and seals the plan.

use super::bundle::{Bundle, Manifest};
use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::open::{inputs, module, resolve_all};
use super::records::{ApplyRecord, Earlier, PlanRecord, PlanResult, Request, RequestName, keys};
use super::{gate, gitops, source, trail};
use crate::digest::Digest;
use crate::engine::change::Changes;
use crate::engine::launch::Launch;
use crate::engine::outcome::Fate;
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use crate::engine::terraform::{self, Tool, Workspace};
use crate::engine::versions::Versions;
use crate::estate::model::{Customer, EngineKind};
use crate::estate::resolve::Resolved;
use crate::estate::settings::Settings;
use crate::estate::{Findings, StackId};
use crate::store::seal;
use std::path::Path;
use std::sync::Arc;

/// What the engine needs of the machine.
#[derive(Debug, Clone)]
pub struct Machine<'a> {
    /// Folder for working copies.
    pub work: &'a Path,
    /// The PATH, to look for the tool.
    pub path: &'a str,
    /// The child's environment.
    pub tool_env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// Is told what is secret before anything of a run is shown.
    pub hide: &'a dyn Hide,
    /// Starts the tool.
    pub launch: Arc<dyn Launch>,
}

/// Keeps secrets out of a log that is not ours, such as the runner's.
pub trait Hide: std::fmt::Debug + Sync {
    /// Everything that is known so far; called again when more is.
    fn hide(&self, redactor: &Redactor);
}

impl Machine<'_> {
    /// The Terraform or OpenTofu of this machine.
    pub fn tool(
        &self,
        settings: &Settings,
        redactor: Redactor,
    ) -> Result<Tool, terraform::TerraformError> {
        Ok(Tool {
            redactor,
            binary: terraform::find(settings.terraform_binary.as_deref(), self.path)?,
            env: self.tool_env.clone(),
            limit: std::time::Duration::from_secs(60 * 60),
            launch: self.launch.clone(),
        })
    }

    /// What hides secrets of one stack of a request, with what is known before anything is run.
    pub fn redactor(&self, manager: &Manager, request: &Request, stack: &StackId) -> Redactor {
        self.redactor_of(manager, &request.name, stack)
    }

    /// The same, where only the request's name is known.
    pub fn redactor_of(&self, manager: &Manager, name: &RequestName, stack: &StackId) -> Redactor {
        let mut redactor = manager.redactor(&stack.customer);
        for ours in [name.to_string(), stack.to_string()] {
            redactor.ours(ours);
        }
        let env = self.tool_env.iter();
        redactor.learn_environment(env.filter_map(|(k, v)| Some((k.to_str()?, v.to_str()?))));
        redactor
    }

    /// The working folder of a stack; ids are checked, so it stays inside.
    pub fn folder(&self, stack: &StackId, what: &str) -> std::path::PathBuf {
        self.work.join(folder_name(stack, what))
    }
}

/// The working folder of a stack, below the machine's. One part for each id: joined by `-`, the
/// folders of two customers could be one.
pub fn folder_name(stack: &StackId, what: &str) -> String {
    format!("{stack}/{what}")
}

/// Reads a request that this run may work on.
pub async fn request(
    manager: &Manager,
    name: &RequestName,
    stack: &StackId,
) -> Result<Request, DeliveryError> {
    let Some((request, _)) = manager.store.read::<Request>(&keys::request(name)).await? else {
        return Err(Refusal::new(
            "request-unknown",
            format!(
                "there is no request `{name}`; `tenantry intake` or `tenantry reconcile` opens one"
            ),
        )
        .into());
    };
    if request.name != *name || stack.customer != name.customer || !request.stacks.contains(stack) {
        return Err(Refusal::new(
            "request-stack",
            format!("stack `{stack}` does not belong to request `{name}`"),
        )
        .into());
    }
    if request.outcome.is_some() {
        return Err(Refusal::new(
            "request-ended",
            format!("request `{name}` has ended; run the customer's workflow again"),
        )
        .into());
    }
    if request.run.id != manager.run.run.id {
        return Err(Refusal::new(
            "request-run",
            format!(
                "run {} works on `{name}`, this is run {}",
                request.run.id, manager.run.run.id
            ),
        )
        .into());
    }
    Ok(request)
}

/// The registry entry of a stack.
pub fn customer<'a>(manager: &'a Manager, stack: &StackId) -> Result<&'a Customer, DeliveryError> {
    manager
        .estate
        .customers
        .get(&stack.customer)
        .ok_or_else(|| {
            Refusal::new(
                "unknown-customer",
                format!("customer `{}` is not in the registry", stack.customer),
            )
            .into()
        })
}

/// Where a stack's Terraform state is: from settings and registry alone, for every way in which
/// the tool is run.
pub(super) fn backend(
    manager: &Manager,
    stack: &StackId,
) -> Result<serde_json::Value, DeliveryError> {
    Ok(terraform::backend(
        manager.estate.settings.state.as_ref(),
        customer(manager, stack)?.state_bucket.as_deref(),
        stack,
    )?)
}

/// Verifies the commit again and resolves one stack of it.
pub async fn resolved(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
) -> Result<Resolved, DeliveryError> {
    let customer = customer(manager, stack)?;
    let verified = source::verify(manager, customer, request.name.event, &request.name.sha).await?;
    let all = resolve_all(manager, customer, &verified).await?;
    all.into_iter()
        .find(|r| r.effective.stack == *stack)
        .ok_or_else(|| {
            Refusal::new(
                "request-stack",
                format!("stack `{stack}` is not subscribed to any more"),
            )
            .into()
        })
}

/// Plans `stack` and records the result, also when it fails.
pub async fn plan(
    manager: &Manager,
    name: &RequestName,
    stack: &StackId,
    machine: &Machine<'_>,
) -> Result<PlanRecord, DeliveryError> {
    let request = request(manager, name, stack).await?;
    manager.recipient()?;
    let resolved = resolved(manager, &request, stack).await;
    let mut record = PlanRecord {
        stack: stack.clone(),
        attempt: request.attempt,
        run: manager.run.run.clone(),
        inputs: Digest::of(b""),
        result: PlanResult::Failed {
            message: String::new(),
        },
        approvals_before: gate::approvals(manager, stack)
            .await?
            .iter()
            .map(gate::fingerprint)
            .collect(),
        warnings: Vec::new(),
        earlier: earlier(manager, &request, stack).await?,
        at: manager.clock.now(),
    };
    let mut redactor = machine.redactor(manager, &request, stack);
    let planned = match resolved {
        Ok(resolved) => {
            learn_values(manager, &resolved, &mut redactor);
            machine.hide.hide(&redactor);
            record.inputs = inputs(manager, &resolved)?;
            let warnings = resolved.warnings.iter().cloned();
            record.warnings = warnings.map(|w| (&redactor.finding(w)).into()).collect();
            engine(
                manager,
                &request,
                &resolved,
                &record,
                machine,
                &mut redactor,
            )
            .await
        }
        Err(error) => Err(error),
    };
    let planned = planned.map_err(|error| error.redacted(&redactor));
    let failed = match planned {
        Ok(result) => {
            record.result = result;
            None
        }
        Err(error) => {
            record.result = PlanResult::Failed {
                message: super::publish::say(&error),
            };
            Some(error)
        }
    };
    trail::planned(manager, &request, &record, failed.as_ref()).await?;
    manager
        .store
        .write_json(&keys::plan(name, stack), &record)
        .await?;
    match failed {
        None => Ok(record),
        Some(error) => Err(error),
    }
}

/// The last plan of this stack that the gate let pass in an earlier attempt of the request, and
/// what was applied of it.
async fn earlier(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
) -> Result<Option<Earlier>, DeliveryError> {
    let key = keys::plan(&request.name, stack);
    let Some((before, _)) = manager.store.read::<PlanRecord>(&key).await? else {
        return Ok(None);
    };
    let PlanResult::Planned {
        changes, digest, ..
    } = before.result
    else {
        return Ok(before.earlier);
    };
    let key = keys::apply(&request.name, stack);
    let applied = manager.store.read::<ApplyRecord>(&key).await?;
    let passed = applied
        .map(|(a, _)| a)
        .filter(|a| a.attempt == before.attempt && a.digest.as_ref() == Some(&digest));
    Ok(match passed {
        // A plan of this attempt is made again before anybody saw an end of it.
        Some(apply) if before.attempt < request.attempt => Some(Earlier {
            digest,
            approved_by: apply.approved_by,
            at: before.at,
            done: apply
                .outcome
                .iter()
                .flat_map(|o| &o.changes)
                .filter(|b| b.fate == Fate::Done)
                .map(|b| b.address.clone())
                .collect(),
            changes,
        }),
        _ => before.earlier,
    })
}

/// Learns what of a stack's values is secret: by its name, or because the module says so.
pub fn learn_values(manager: &Manager, resolved: &Resolved, redactor: &mut Redactor) {
    let values = &resolved.effective.values;
    redactor.learn_names(values);
    // A module that cannot be read is an error elsewhere.
    if let Ok(module) = module(manager, &resolved.effective.stack) {
        for (name, variable) in &module.variables {
            if variable.secret
                && let Some(value) = values.get(name)
            {
                redactor.learn_all(value);
            }
        }
    }
}

async fn engine(
    manager: &Manager,
    request: &Request,
    resolved: &Resolved,
    record: &PlanRecord,
    machine: &Machine<'_>,
    redactor: &mut Redactor,
) -> Result<PlanResult, DeliveryError> {
    let stack = &resolved.effective.stack;
    let kind = manager
        .estate
        .products
        .get(&stack.product)
        .map(|p| p.engine);
    let made = match kind {
        Some(EngineKind::Terraform) => terraform_plan(manager, resolved, machine, redactor).await?,
        _ => {
            let (plan, changes) = gitops::plan(manager, resolved, redactor).await?;
            let plan = serde_json::to_vec(&plan).unwrap_or_default();
            Made {
                shown: Digest::of(&plan),
                plan,
                json: Vec::new(),
                lock: Vec::new(),
                state: None,
                tool: None,
                changes,
            }
        }
    };
    let (digest, sealed, _) = sealed(manager, request, stack, &record.inputs, &made).await?;
    Ok(PlanResult::Planned {
        changes: made.changes,
        digest,
        sealed,
    })
}

/// Seals what was planned and keeps it: its digest, its key, and the bundle itself.
pub(super) async fn sealed(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    inputs: &Digest,
    made: &Made,
) -> Result<(Digest, String, Bundle), DeliveryError> {
    let nonce = seal::random_hex();
    let manifest = Manifest {
        version: 1,
        stack: stack.clone(),
        request: request.name.clone(),
        attempt: request.attempt,
        run: manager.run.run.id,
        inputs: inputs.clone(),
        plan: Digest::of(b""),
        lock: Digest::of(b""),
        shown: made.shown.clone(),
        tool: made.tool.clone(),
        actor: manager.run.sender.as_ref().map(|u| u.login.clone()),
        state: made.state.clone(),
        created: manager.clock.now(),
        nonce: nonce.clone(),
    };
    let bundle = Bundle::new(manifest, &made.plan, &made.lock);
    let key = keys::sealed(stack, &nonce);
    let bytes = seal::seal(manager.recipient()?, &bundle.bytes())?;
    if manager.store.create(&key, bytes).await? != crate::store::Put::Done {
        return Err(Refusal::new(
            "plan-exists",
            format!("there is a sealed plan `{key}` already; plan again"),
        )
        .into());
    }
    Ok((bundle.digest(), key, bundle))
}

/// What an engine's plan comes to.
pub(super) struct Made {
    pub plan: Vec<u8>,
    /// The plan as JSON, secrets in clear, for engines that have it.
    pub json: Vec<u8>,
    pub lock: Vec<u8>,
    pub shown: Digest,
    pub tool: Option<Versions>,
    pub state: Option<(String, u64)>,
    pub changes: Changes,
}

pub(super) async fn terraform_plan(
    manager: &Manager,
    resolved: &Resolved,
    machine: &Machine<'_>,
    redactor: &mut Redactor,
) -> Result<Made, DeliveryError> {
    let stack = &resolved.effective.stack;
    let module = module(manager, stack)?;
    let variables = terraform::variables(&module, stack, &resolved.effective.values)?;
    let backend = backend(manager, stack)?;
    let mut tool = machine.tool(&manager.estate.settings, redactor.clone())?;
    let lock = module.files.get(crate::engine::module::LOCK).cloned();
    let workspace = Workspace::write(
        &machine.folder(stack, "plan"),
        &module,
        &backend,
        Some(&variables),
        lock.as_deref(),
    )?;
    let planned = workspace.plan(&tool).await?;
    let changes = plan_json::read(&planned.json, redactor)?;
    // Now everything that is marked is known; nothing of the plan was shown before.
    machine.hide.hide(redactor);
    tool.redactor = redactor.clone();
    let versions = workspace.versions(&tool).await?;
    let state = workspace.state(&tool).await?;
    let policies = &manager.rules.policies;
    if !policies.is_empty() {
        let json = serde_json::from_slice(&planned.json).map_err(plan_json::PlanJsonError::from)?;
        let findings = Findings(policies.check(&resolved.effective, Some(&json))).tidy();
        if findings.has_errors() {
            return Err(findings.into());
        }
    }
    Ok(Made {
        shown: Digest::of(&planned.json),
        plan: planned.plan,
        json: planned.json,
        lock: planned.lock,
        tool: Some(versions),
        state,
        changes,
    })
}

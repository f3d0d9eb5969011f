//! The manager's workflow, job by job, as `workflows/manager/deploy.yml` and `reconcile.yml`
//! have it: what needs what, what runs side by side, what waits for a review, and what GitHub
//! cancels because a newer job of the same concurrency group came.

use super::hub::Run;
use super::provider::{Provider, machine};
use super::world::{Job, Shared, clock};
use object_store::memory::InMemory;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tenantry::delivery::apply::apply;
use tenantry::delivery::gate::{Decision, gate};
use tenantry::delivery::intake::intake;
use tenantry::delivery::open::Opened;
use tenantry::delivery::plan::plan;
use tenantry::delivery::publish;
use tenantry::delivery::reconcile::reconcile;
use tenantry::delivery::records::{Request, RequestName};
use tenantry::estate::StackId;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Everything that runs need.
#[derive(Clone)]
pub struct Floor {
    /// The world.
    pub shared: Shared,
    /// The provider.
    pub provider: Rc<Provider>,
    /// The store's objects.
    pub storage: Arc<InMemory>,
    /// Folder for working copies.
    pub work: PathBuf,
    /// By concurrency group: who runs, and who waits.
    groups: Arc<Mutex<BTreeMap<String, Group>>>,
}

#[derive(Default)]
struct Group {
    busy: bool,
    /// Sent `true` when it is its turn; dropped when a newer one takes its place.
    pending: Option<oneshot::Sender<()>>,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    Skipped,
}

impl Floor {
    /// A new floor.
    pub fn new(shared: Shared, provider: Rc<Provider>, work: PathBuf) -> Self {
        Self {
            shared,
            provider,
            storage: Arc::default(),
            work,
            groups: Arc::default(),
        }
    }

    /// One run, from its start to its end.
    pub async fn run(self, payload: Option<Value>) {
        let id = {
            let mut world = self.shared.world();
            let id = world.hub.number();
            let run = Run {
                estate: world.hub.estate,
                created: clock().now().0,
                attempt: 1,
                completed: false,
                waits: false,
                reviews: Vec::new(),
            };
            world.hub.runs.insert(id, run);
            id
        };
        loop {
            self.shared.pause(20_000).await;
            self.jobs(id, payload.clone()).await;
            let again = {
                let mut world = self.shared.world();
                let odds = world.odds.again;
                let again = world.chance(odds);
                if let Some(run) = world.hub.runs.get_mut(&id) {
                    run.completed = true;
                }
                again
            };
            self.shared.tell(|| format!("run {id} ended"));
            if !again {
                return;
            }
            self.shared.pause(3_600_000).await;
            self.shared.tell(|| format!("run {id} is run again"));
            if let Some(run) = self.shared.world().hub.runs.get_mut(&id) {
                run.completed = false;
                run.attempt += 1;
            }
        }
    }

    fn job(&self, run: u64, what: &str) -> Job {
        Job::new(&self.shared, run, format!("run {run} {what}"))
    }

    async fn jobs(&self, run: u64, payload: Option<Value>) {
        let job = self.job(run, if payload.is_some() { "intake" } else { "sweep" });
        let found = job.work(self.intake(&job, payload.clone())).await;
        let requests = match found {
            Some(Ok(requests)) => requests,
            Some(Err(why)) => {
                self.shared.tell(|| format!("{job:?}: {why}"));
                return;
            }
            None => return,
        };
        if requests.is_empty() {
            return;
        }
        let stacks = |environment: &str, pushes: bool| -> Vec<(RequestName, StackId)> {
            let of = requests
                .iter()
                .filter(|r| !pushes || r.name.to_string().contains("/push-"));
            of.flat_map(|r| r.stacks.iter().map(|s| (r.name.clone(), s.clone())))
                .filter(|(_, s)| s.environment.as_str() == environment)
                .collect()
        };
        let (staging, production) = tokio::join!(
            self.each(run, stacks("staging", false), Kind::Plan),
            self.each(run, stacks("production", false), Kind::Plan)
        );
        let reported = self.reports(run, &requests, false).await;
        // A sweep serves many customers, so a failure at one stops nobody else; a dispatch stops.
        let sweep = payload.is_none();
        let good = |ends: &[End]| sweep || !ends.contains(&End::Failure);
        let mut before = vec![staging, reported];
        let applied = match good(&before) && (sweep || staging == End::Success) {
            true => self.each(run, stacks("staging", true), Kind::Apply).await,
            false => End::Skipped,
        };
        before.extend([production, applied]);
        if good(&before) && (sweep || production == End::Success) {
            self.each(run, stacks("production", true), Kind::Apply)
                .await;
        }
        self.reports(run, &requests, true).await;
    }

    /// The first job: what there is to do.
    async fn intake(&self, job: &Job, payload: Option<Value>) -> Result<Vec<Request>, String> {
        let manager = self
            .provider
            .manager(job, &self.storage)
            .map_err(|e| e.to_string())?;
        let say = |e: tenantry::delivery::DeliveryError| publish::say(&e);
        let Some(payload) = payload else {
            let sweep = reconcile(&manager, None).await.map_err(say)?;
            for (customer, why) in &sweep.failed {
                self.shared.tell(|| format!("{job:?}: {customer}: {why}"));
            }
            for request in sweep.closed.iter().chain(&sweep.work) {
                if let Err(error) =
                    publish::report(&manager, &request.name, request.outcome.is_some()).await
                {
                    self.shared
                        .tell(|| format!("{job:?}: {}: {}", request.name, publish::say(&error)));
                }
            }
            return Ok(sweep.work);
        };
        let issuer = self.provider.client(job);
        match intake(&manager, &payload, &issuer)
            .await
            .map_err(say)?
            .opened
        {
            Opened::Work(request) => {
                publish::report(&manager, &request.name, false)
                    .await
                    .map_err(say)?;
                Ok(vec![request])
            }
            Opened::Nothing { request, reason } => {
                self.shared.tell(|| format!("{job:?}: {reason}"));
                if let Some(request) = request.filter(|r| r.outcome.is_some()) {
                    publish::report(&manager, &request.name, true)
                        .await
                        .map_err(say)?;
                }
                Ok(Vec::new())
            }
            Opened::NotYet => Ok(Vec::new()),
            Opened::Refused(request) => {
                publish::report(&manager, &request.name, true)
                    .await
                    .map_err(say)?;
                Ok(Vec::new())
            }
        }
    }

    /// A matrix of jobs.
    async fn each(&self, run: u64, stacks: Vec<(RequestName, StackId)>, kind: Kind) -> End {
        if stacks.is_empty() {
            return End::Skipped;
        }
        let mut jobs = JoinSet::new();
        for (name, stack) in stacks {
            let floor = self.clone();
            jobs.spawn_local(async move { floor.one(run, &name, &stack, kind).await });
        }
        let mut end = End::Success;
        while let Some(done) = jobs.join_next().await {
            if !done.unwrap_or(false) {
                end = End::Failure;
            }
        }
        end
    }

    /// One job of a matrix; whether it succeeded.
    async fn one(&self, run: u64, name: &RequestName, stack: &StackId, kind: Kind) -> bool {
        let group = match kind {
            Kind::Plan => None,
            Kind::Apply => {
                if stack.environment.as_str() == "production" && !self.reviewed(run).await {
                    return false;
                }
                let group = format!("apply {stack}");
                if !self.enter(&group).await {
                    self.shared
                        .tell(|| format!("run {run}: GitHub cancelled {group}"));
                    return false;
                }
                Some(group)
            }
        };
        self.shared.pause(20_000).await;
        let job = self.job(
            run,
            &format!(
                "{} {stack}",
                if kind == Kind::Plan { "plan" } else { "apply" }
            ),
        );
        let done = job.work(self.step(&job, name, stack, kind)).await;
        if let Some(Err(why)) = &done {
            self.shared.tell(|| format!("{job:?}: {why}"));
        }
        if let Some(group) = group {
            self.leave(&group);
        }
        matches!(done, Some(Ok(())))
    }

    async fn step(
        &self,
        job: &Job,
        name: &RequestName,
        stack: &StackId,
        kind: Kind,
    ) -> Result<(), String> {
        let manager = self
            .provider
            .manager(job, &self.storage)
            .map_err(|e| e.to_string())?;
        // Each job has a machine of its own.
        let number = self.shared.world().hub.number();
        let work = self.work.join(number.to_string());
        let machine = machine(job, &work);
        let say = |e: tenantry::delivery::DeliveryError| publish::say(&e);
        match kind {
            Kind::Plan => plan(&manager, name, stack, &machine)
                .await
                .map(|_| ())
                .map_err(say),
            Kind::Apply => {
                let done = match gate(&manager, name, stack, None).await {
                    Ok(Decision::Open(_)) => {
                        let done =
                            apply(&manager, name, stack, &self.provider.identity, &machine).await;
                        done.map(|_| ()).map_err(say)
                    }
                    Ok(Decision::Waiting { reason }) => Err(reason),
                    Err(error) => Err(say(error)),
                };
                // The action reports after its stack, whatever became of it.
                let told = publish::report(&manager, name, false).await;
                done.and(told.map(|_| ()).map_err(say))
            }
        }
    }

    /// One report job for each request.
    async fn reports(&self, run: u64, requests: &[Request], last: bool) -> End {
        let mut end = End::Success;
        for request in requests {
            let job = self.job(run, if last { "final" } else { "report" });
            let report = async {
                let manager = self
                    .provider
                    .manager(&job, &self.storage)
                    .map_err(|e| e.to_string())?;
                publish::report(&manager, &request.name, last)
                    .await
                    .map_err(|e| publish::say(&e))
            };
            match job.work(report).await {
                Some(Ok(view)) => self
                    .shared
                    .tell(|| format!("{job:?}: {}: {}", view.request, view.headline)),
                Some(Err(why)) => {
                    self.shared.tell(|| format!("{job:?}: {why}"));
                    end = End::Failure;
                }
                None => end = End::Failure,
            }
        }
        end
    }

    /// Waits for a review of this run's production environment; whether it was approved. What was
    /// reviewed before the job came does not count.
    async fn reviewed(&self, run: u64) -> bool {
        let before = {
            let mut world = self.shared.world();
            let Some(run) = world.hub.runs.get_mut(&run) else {
                return false;
            };
            run.waits = true;
            run.reviews.len()
        };
        loop {
            sleep(Duration::from_secs(30)).await;
            let world = self.shared.world();
            let run = world.hub.runs.get(&run);
            if let Some((_, what, _)) = run.and_then(|r| r.reviews.get(before)) {
                return *what == "approved";
            }
        }
    }

    /// Enters a concurrency group; `false` when a newer job took the place.
    async fn enter(&self, name: &str) -> bool {
        let turn = {
            let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            let group = groups.entry(name.to_owned()).or_default();
            if !group.busy {
                group.busy = true;
                return true;
            }
            let (sender, receiver) = oneshot::channel();
            // Whoever waited until now is cancelled: its sender is dropped.
            group.pending = Some(sender);
            receiver
        };
        turn.await.is_ok()
    }

    fn leave(&self, name: &str) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get_mut(name) {
            let next = group.pending.take();
            group.busy = next.is_some_and(|n| n.send(()).is_ok());
        }
    }
}

/// What a job of a matrix does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plan,
    Apply,
}

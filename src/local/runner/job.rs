//! The life of a job as GitHub shows it: start, wait for its environment, end.
use crate::local::model::Run;
use crate::local::rest::environments::bare;
use crate::local::server::Inner;
use crate::local::state::State;
use std::time::Duration;

/// How a job or run ended.
pub type Conclusion = &'static str;

fn edit(s: &mut State, run: u64, change: impl FnOnce(&mut Run, i64)) {
    let now = s.now();
    if let Some(r) = s.runs.get_mut(&run) {
        change(r, now);
        r.updated = now;
    }
}

/// Marks a run's state.
pub fn status(inner: &Inner, run: u64, status: &'static str) {
    edit(&mut inner.state(), run, |r, _| r.status = status);
}

/// Marks a job as running.
pub fn begin(inner: &Inner, run: u64, key: &str) {
    edit(&mut inner.state(), run, |r, now| {
        if r.pending.is_empty() {
            r.status = "in_progress";
        }
        for j in r
            .jobs
            .iter_mut()
            .filter(|j| j.key == key && j.status != "in_progress")
        {
            j.status = "in_progress";
            j.started = now;
        }
    });
}

/// Marks a job as ended; of several legs the worst conclusion stays.
pub fn end(inner: &Inner, run: u64, key: &str, conclusion: Conclusion) {
    edit(&mut inner.state(), run, |r, now| {
        for j in r.jobs.iter_mut().filter(|j| j.key == key) {
            j.status = "completed";
            j.completed = Some(now);
            if j.conclusion != Some("failure") {
                j.conclusion = Some(conclusion);
            }
        }
    });
}

/// Marks a run as ended, with the jobs that never began skipped, and its credentials void.
pub fn finish(inner: &Inner, run: u64, conclusion: Conclusion) {
    let mut s = inner.state();
    edit(&mut s, run, |r, now| {
        r.status = "completed";
        r.conclusion = Some(conclusion);
        r.pending.clear();
        for j in r.jobs.iter_mut().filter(|j| j.status != "completed") {
            j.conclusion = Some(if j.status == "queued" {
                "skipped"
            } else {
                conclusion
            });
            j.status = "completed";
            j.completed = Some(now);
        }
    });
    let token = s.runs.get(&run).map(|r| r.token.clone());
    token.map(|t| s.tokens.remove(&t));
    s.oidc_grants.retain(|_, g| g.run != run);
}

/// Puts a job's environment on the waiting list, if it has reviewers that have not decided yet.
pub fn request(inner: &Inner, run: u64, environment: &str) -> Option<u64> {
    let mut s = inner.state();
    let repo = s.runs.get(&run)?.event.repo;
    let env = s.repos.get(&repo)?.environments.get(environment)?.clone();
    if env.reviewers.is_empty() && env.wait_timer == 0 {
        return None;
    }
    edit(&mut s, run, |r, now| {
        let mut decisions = r.approvals.iter().skip(r.settled);
        let decided = decisions.any(|a| a.environments.contains(&env.id));
        if !decided && !r.pending.iter().any(|p| p.0 == env.id) {
            r.pending.push((env.id, now));
            r.status = "waiting";
        }
    });
    Some(env.id)
}

/// GitHub makes an environment that is missing when a job names it, without any protection.
fn made(inner: &Inner, run: u64, environment: &str) {
    let mut s = inner.state();
    let (id, now) = (s.id(), s.now());
    let repo = s.runs.get(&run).map(|r| r.event.repo);
    let repo = repo.and_then(|repo| s.repos.get_mut(&repo));
    if let Some(repo) = repo.filter(|_| !environment.is_empty()) {
        let all = &mut repo.environments;
        all.entry(environment.to_owned())
            .or_insert_with(|| bare(id, now));
    }
}

/// Waits for reviewers and wait timer, as the runner service does. False means rejected or cancelled.
pub async fn enter(inner: &Inner, run: u64, environment: &str) -> bool {
    made(inner, run, environment);
    let Some(id) = request(inner, run, environment) else {
        return true;
    };
    let since = inner.state().now();
    loop {
        {
            let mut s = inner.state();
            let now = s.now();
            let Some(r) = s.runs.get(&run) else {
                return false;
            };
            if r.cancel || *inner.stopping.borrow() {
                return false;
            }
            let decision = r
                .approvals
                .iter()
                .skip(r.settled)
                .find(|a| a.environments.contains(&id))
                .map(|a| a.state.clone());
            let env = s
                .repos
                .get(&r.event.repo)
                .and_then(|x| x.environments.get(environment));
            let (timer, reviewed) =
                env.map_or((0, false), |e| (e.wait_timer, !e.reviewers.is_empty()));
            let waited = now - since >= i64::try_from(timer).unwrap_or(i64::MAX).saturating_mul(60);
            match decision.as_deref() {
                Some("rejected") => return false,
                Some(_) if waited => return true,
                None if waited && !reviewed => {
                    edit(&mut s, run, |r, _| r.pending.retain(|p| p.0 != id));
                    return true;
                }
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

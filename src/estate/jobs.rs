//! The GitHub environments of the manager repository in which jobs run.
//!
//! A job's identity towards a cloud names its environment and nothing of the customer
//! (docs.github.com, "OpenID Connect reference"), and one approval lets all jobs of a run pass that
//! wait for the same environment. So who holds customers apart there too gives each environments of
//! their own.

use super::settings::Settings;
use super::{CustomerId, EnvironmentId, StackId};

/// A job of the loop that works on one customer's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// It plans, and looks for drift.
    Plan,
    /// It applies.
    Apply,
}

impl Job {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plan, Self::Apply];

    /// How names of environments end.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }

    /// The environment that all customers share, such as `production-apply`.
    pub fn shared(self, environment: &EnvironmentId) -> String {
        format!("{environment}-{}", self.name())
    }

    /// A customer's own, such as `acme/production-apply`. No id holds a `/`, so no two customers
    /// have a name in common, and none has a shared one.
    pub fn own(self, customer: &CustomerId, environment: &EnvironmentId) -> String {
        format!("{customer}/{}", self.shared(environment))
    }

    /// Which jobs run in an environment that is a customer's own; `None` if it is not.
    pub fn of_own(customer: &CustomerId, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(customer.as_str())?.strip_prefix('/')?;
        let (environment, job) = rest.rsplit_once('-')?;
        EnvironmentId::new(environment).ok()?;
        Self::ALL.into_iter().find(|j| j.name() == job)
    }
}

impl Settings {
    /// Where a job for a customer runs.
    pub fn job_environment(
        &self,
        job: Job,
        customer: &CustomerId,
        environment: &EnvironmentId,
    ) -> String {
        match self.own_environments {
            true => job.own(customer, environment),
            false => job.shared(environment),
        }
    }

    /// Where a job for a stack runs.
    pub fn environment_of(&self, job: Job, stack: &StackId) -> String {
        self.job_environment(job, &stack.customer, &stack.environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_runs_where_the_settings_say() {
        let Ok(stack) = "acme/web/production".parse::<StackId>() else {
            panic!("a stack");
        };
        let mut settings = Settings::default();
        let name = |settings: &Settings, job| settings.environment_of(job, &stack);
        assert_eq!(name(&settings, Job::Plan), "production-plan");
        assert_eq!(name(&settings, Job::Apply), "production-apply");
        settings.own_environments = true;
        assert_eq!(name(&settings, Job::Plan), "acme/production-plan");
        assert_eq!(name(&settings, Job::Apply), "acme/production-apply");
        for (name, job) in [
            ("acme/production-apply", Some(Job::Apply)),
            ("acme/pre-prod-plan", Some(Job::Plan)),
            ("acme-2/production-apply", None),
            ("production-apply", None),
            ("acme/-apply", None),
            ("acme/apply", None),
            ("acme/x/production-apply", None),
            ("acme/production-deploy", None),
        ] {
            assert_eq!(Job::of_own(&stack.customer, name), job, "{name}");
        }
    }
}

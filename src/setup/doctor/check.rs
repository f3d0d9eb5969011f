//! The checks: what each is about, how bad it is, what to do. `docs/doctor.md` lists them, and
//! `tests/doctor.rs` keeps both equal.

use serde::Serialize;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The manager repository.
    Manager,
    /// What the manager speaks with.
    Credential,
    /// A customer's repository.
    Customer,
    /// The store and Terraform's state.
    Store,
    /// Whom cloud roles trust.
    Trust,
}

impl Area {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Credential => "credential",
            Self::Customer => "customer",
            Self::Store => "store",
            Self::Trust => "trust",
        }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Makes something else easier that should be hard, or will stop working.
    Medium,
    /// Does not work, or lets somebody do what they must not.
    High,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A check.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// How bad a finding is.
    pub severity: Severity,
    /// What must hold.
    pub holds: &'static str,
    /// What to do where it does not.
    pub remedy: &'static str,
    /// Whether `--fix` can do it, at least sometimes.
    pub fixes: bool,
}

macro_rules! checks {
    ($($name:ident $id:literal $area:ident $severity:ident $fixes:literal $holds:literal $remedy:literal)*) => {
        $(
            #[doc = $holds]
            pub static $name: Check = Check {
                id: $id,
                area: Area::$area,
                severity: Severity::$severity,
                holds: $holds,
                remedy: $remedy,
                fixes: $fixes,
            };
        )*
        /// All of them, in the order of the page.
        pub static ALL: &[&Check] = &[$(&$name),*];
    };
}

checks! {
    MANAGER_REPOSITORY "manager-repository" Manager High false
        "The manager repository is the one that `tenantry.yml` names, and it can be written."
        "set `manager` in tenantry.yml to the name that the repository has now, or unarchive it"
    MANAGER_SECRET "manager-secret" Manager High false
        "Every secret that the workflows need is there, by name."
        "set it with `gh secret set`; doctor never sees or invents a secret"
    MANAGER_SEAL_SCOPE "manager-seal-scope" Manager High false
        "The key that opens plans is a secret of the apply environments alone."
        "delete the secret of the repository; keep it in the `…-apply` environments"
    MANAGER_VARIABLE "manager-variable" Manager High true
        "Every variable that the workflows need is there, with the value that the settings say."
        "set it with `gh variable set`"
    MANAGER_ENVIRONMENT "manager-environment" Manager High true
        "Each environment has a GitHub environment for its plans and one for its applies."
        "make it in the repository's settings, under Environments"
    MANAGER_ENVIRONMENT_LEFT "manager-environment-left" Manager Medium false
        "Each environment that is one customer's own belongs to a stack."
        "remove it, once no role trusts it and nothing of it stands: `gh api -X DELETE repos/OWNER/NAME/environments/CUSTOMER%2FENVIRONMENT-apply`"
    MANAGER_REVIEWERS "manager-reviewers" Manager High true
        "Where a gate demands approval, the apply environment has required reviewers, and they are those whose approval counts."
        "name reviewers in the environment, or `gates.<environment>.approvers` in tenantry.yml and run --fix"
    MANAGER_SELF_REVIEW "manager-self-review" Manager Medium true
        "Where a gate demands approval, whoever started a deployment cannot approve it."
        "switch on `Prevent self-review` in the environment"
    MANAGER_ADMIN_BYPASS "manager-admin-bypass" Manager Medium false
        "Where a gate demands approval, administrators cannot pass it over."
        "switch off `Allow administrators to bypass` in the environment; GitHub's interface cannot do it"
    MANAGER_WAIT_TIMER "manager-wait-timer" Manager Medium true
        "An apply environment waits at least as long as `gates.<environment>.wait_minutes` demands."
        "set the wait timer of the environment"
    MANAGER_ENVIRONMENT_BRANCH "manager-environment-branch" Manager High true
        "Only the default branch can use an environment's secrets."
        "set the environment's deployment branches to the default branch alone"
    MANAGER_WORKFLOW "manager-workflow" Manager High true
        "Each workflow is there, with the jobs, permissions, environments and inputs that this version of tenantry writes."
        "write it again with `tenantry init manager` into another folder (with `--own-environments`, if that is your setting), and carry your own changes over"
    MANAGER_WORKFLOW_PIN "manager-workflow-pin" Manager Medium true
        "The workflows name this version's actions by their commit, and every other action by a full commit."
        "pin the action to the commit of this version"
    MANAGER_WORKFLOW_ENABLED "manager-workflow-enabled" Manager High true
        "The workflows are switched on. GitHub switches schedules off after 60 days without activity in a public repository."
        "switch it on under Actions"
    MANAGER_RUNNER "manager-runner" Manager Medium false
        "No job asks for a runner image that GitHub has retired, or for a runner that keeps what earlier jobs left."
        "use `ubuntu-latest`, or an ephemeral runner of your own with a label that says so"
    MANAGER_TOOL "manager-tool" Manager Low false
        "The tool that plans here is new enough for what the settings ask of it."
        "install Terraform 1.11 or OpenTofu 1.10 and newer"
    MANAGER_ACTIONS "manager-actions" Manager Medium true
        "Actions are on, and only GitHub's own actions, tenantry's and those on a list that has what the workflows use may be used, by full commit."
        "allow `selected` actions under Actions, General, and require full commits"
    MANAGER_DEFAULT_TOKEN "manager-default-token" Manager Medium true
        "A workflow's token may only read where the workflow does not say more, and cannot approve pull requests."
        "set `Read repository contents` under Actions, General, Workflow permissions"
    MANAGER_BRANCH "manager-branch" Manager High true
        "The default branch cannot be deleted or rewritten, and changes come by pull request."
        "add a ruleset for the default branch"
    MANAGER_RULESET "manager-ruleset" Manager High true
        "With `hints.mode: direct`, rulesets close every branch and every tag to whoever may send a hint."
        "add a ruleset for `~ALL`, or set `hints.mode: poll`"
    MANAGER_SECRET_SCANNING "manager-secret-scanning" Manager Medium true
        "GitHub looks for secrets in the manager repository."
        "switch on secret scanning under Code security"
    MANAGER_PUSH_PROTECTION "manager-push-protection" Manager Medium true
        "GitHub refuses a push that holds a secret."
        "switch on push protection under Code security"
    CREDENTIAL_ACCEPTED "credential-accepted" Credential High false
        "GitHub accepts what the manager speaks with."
        "make a new one and put it into the secret of the manager"
    CREDENTIAL_SCOPES "credential-scopes" Credential Medium false
        "The credential can do no more than the manager needs."
        "make a fine-grained token or an App with contents:read, pull_requests:write and statuses:write on customers' repositories"
    CREDENTIAL_EXPIRY "credential-expiry" Credential High false
        "The credential does not end within 14 days, and it does end."
        "make a new one and put it into the secret of the manager before the old one ends"
    CREDENTIAL_KIND "credential-kind" Credential Low false
        "A GitHub App speaks for the manager: its tokens live for an hour, and it is nobody's account."
        "make an App, install it for the customers, and set TENANTRY_APP_ID and TENANTRY_APP_KEY"
    CREDENTIAL_LIMIT "credential-limit" Credential Medium false
        "There is enough left of GitHub's limit for another sweep."
        "wait for the next hour, or use an App: it has a limit of its own for each owner"
    CUSTOMER_REPOSITORY "customer-repository" Customer High false
        "The manager's credential sees the customer's repository, and it is not archived."
        "let the manager's credential read it (install the App there, or add it to the token), or suspend the customer"
    CUSTOMER_IDENTITY "customer-identity" Customer High false
        "The repository behind the recorded name has the recorded number."
        "ask the customer where the repository went; if the number is right, `tenantry customer set` records the new name"
    CUSTOMER_RENAMED "customer-renamed" Customer Low false
        "The repository is called as it is recorded."
        "record the new name with `tenantry customer set`"
    CUSTOMER_OWNER "customer-owner" Customer High false
        "The account that owns the repository is the recorded one."
        "make sure that the transfer was meant; then record it with `tenantry customer set`"
    CUSTOMER_WORKFLOW "customer-workflow" Customer Medium true
        "The workflow that sends hints is there where hints are sent, as this version of tenantry writes it."
        "let the customer take it over from `tenantry init customer`"
    CUSTOMER_WORKFLOW_PIN "customer-workflow-pin" Customer Medium true
        "The customer's workflow names this version's action by its commit."
        "pin the action to the commit of this version"
    CUSTOMER_VARIABLE "customer-variable" Customer High true
        "The variables that tell the workflow where the manager is are right."
        "set MANAGER_REPO_OWNER and MANAGER_REPO_NAME"
    CUSTOMER_BRANCH "customer-branch" Customer Medium true
        "The customer's default branch cannot be deleted or rewritten."
        "add a ruleset for the default branch"
    CUSTOMER_OWNERS "customer-owners" Customer Low false
        "The folder `infra/` has code owners."
        "add a line such as `/infra/ @team` to .github/CODEOWNERS"
    CUSTOMER_SECRET_SCANNING "customer-secret-scanning" Customer Low true
        "GitHub looks for secrets in the customer's repository."
        "switch on secret scanning under Code security"
    CUSTOMER_REQUEST "customer-request" Customer Medium false
        "No request of the customer has been open for longer than GitHub lets an approval wait (30 days)."
        "start deploy.yml for the customer: it begins the request anew"
    STORE_REACHABLE "store-reachable" Store High false
        "The store answers, and what stands there can be read."
        "check `store.url` in tenantry.yml, and the credentials and region of this environment"
    STORE_VERSIONING "store-versioning" Store Medium true
        "The buckets of the store and of state keep old versions."
        "switch on versioning"
    STORE_ENCRYPTION "store-encryption" Store Medium true
        "What is written into these buckets is encrypted."
        "switch on default encryption"
    STORE_PUBLIC "store-public" Store High true
        "Nothing in these buckets can be made public."
        "block all public access to the bucket"
    STORE_AUDIT_LOCK "store-audit-lock" Store Medium false
        "The audit log has a bucket of its own, whose object lock keeps records for at least 30 days."
        "make a bucket with object lock and set `audit.store`; docs/audit.md says how, and `tenantry init manager --bootstrap aws` writes it"
    STORE_LEASE "store-lease" Store Low true
        "No lease has run out without having been given back."
        "nothing: the next apply takes it over, after a look at what the last one left"
    STATE_ONE "state-one" Store High false
        "Each stack has one state, where the settings say."
        "find out who moved or removed it; old versions of the bucket hold what was there"
    STATE_KNOWN "state-known" Store Medium false
        "Each state belongs to a stack of the estate."
        "subscribe it again, or destroy by hand what it describes and remove it"
    STATE_LOCK "state-lock" Store High true
        "No lock of a state is older than six hours, the longest that a job may run."
        "make sure that its holder is gone, then break it"
    TRUST_POLICY "trust-policy" Trust High false
        "A role of the registry trusts the apply jobs of its environment in the manager repository, in both spellings, and nobody else."
        "give it the policy that `tenantry doctor trust` prints"
    TRUST_SHARED "trust-shared-environment" Trust Medium false
        "No two customers' roles trust the same GitHub environment."
        "set `customers.own_environments: true`, so that each customer's jobs run in environments of their own, and let each role trust those alone; docs/onboarding.md says how"
}

/// The check with an id.
pub fn by_id(id: &str) -> Option<&'static Check> {
    ALL.iter().find(|c| c.id == id).copied()
}

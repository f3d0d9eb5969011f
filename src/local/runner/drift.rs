//! Drives `drift.yml` as GitHub would: list, the checks environment by environment, report; and
//! `credentials.yml`, which has one job.
use super::job;
use super::steps::{Driver, Work, conclusion, legs};
use serde_json::Value;

impl Driver<'_> {
    /// The whole workflow; whether every step of it went well.
    pub(super) async fn drift(&self) -> bool {
        let (inner, id) = (self.inner, self.run.id);
        job::begin(inner, id, "list");
        let more = self.with(None, false, false);
        let list = self.step("list", None, &["drift", "list"], &more).await;
        job::end(inner, id, "list", conclusion(list.ok));
        let matrices = list.outputs.get("matrices");
        let matrices: Value = matrices
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        let mut ok = list.ok;
        for key in self.job_keys() {
            if let Some(environment) = key.strip_prefix("check-") {
                ok &= self.check(&key, &matrices[environment]).await;
            }
        }
        // As the workflow says in `if:`.
        if list.ok {
            job::begin(inner, id, "report");
            let report = self.step("report", None, &["drift", "report"], &more).await;
            job::end(inner, id, "report", conclusion(report.ok));
            ok &= report.ok;
        }
        ok
    }

    /// The whole of `credentials.yml`.
    pub(super) async fn credentials(&self) -> bool {
        let (inner, id) = (self.inner, self.run.id);
        job::begin(inner, id, "check");
        let more = [("TENANTRY_ISSUES", "true".to_owned())];
        let args = ["customer", "credential", "check"];
        let check = self.step("check", None, &args, &more).await;
        job::end(inner, id, "check", conclusion(check.ok));
        check.ok
    }

    async fn check(&self, key: &str, matrix: &Value) -> bool {
        let legs = legs(matrix);
        if legs.is_empty() {
            job::end(self.inner, self.run.id, key, "skipped");
            return true;
        }
        self.legs(key, "", &legs, Work::Drift).await
    }
}

//! Terraform as an onlooker: plans that change nothing and hold up nobody.
//!
//! They take no lock: a refresh-only plan with `-out` writes no state, the role that plans may not
//! be allowed to write the lock, and an apply must not wait for somebody who only looks. An apply
//! that runs at the same time makes the answer stale at most, and the next check gives another.

use super::{TerraformError, Tool, Workspace};

const REFRESH: &str = "tenantry.refresh.tfplan";
const INTENT: &str = "tenantry.intent.tfplan";

impl Workspace {
    /// `show -json` of a refresh-only plan. The folder must have been initialised. Holds secrets
    /// in clear.
    pub async fn refresh_only(&self, tool: &Tool) -> Result<Vec<u8>, TerraformError> {
        self.onlook(tool, REFRESH, &["-refresh-only"]).await
    }

    /// `show -json` of an ordinary plan that is never applied. Holds secrets in clear.
    pub async fn intent(&self, tool: &Tool) -> Result<Vec<u8>, TerraformError> {
        self.onlook(tool, INTENT, &[]).await
    }

    async fn onlook(
        &self,
        tool: &Tool,
        file: &str,
        more: &[&str],
    ) -> Result<Vec<u8>, TerraformError> {
        let out = format!("-out={file}");
        let mut args = vec!["plan", "-input=false", "-no-color", "-lock=false", &out];
        args.extend(more);
        tool.run(&self.folder, &args).await?;
        let show = ["show", "-json", "-no-color", file];
        tool.run(&self.folder, &show).await
    }
}

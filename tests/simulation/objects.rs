//! An object storage in memory whose calls can fail, also after they were carried out.

use super::world::{Fate, Job};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::sync::Arc;

/// The storage as one job sees it.
#[derive(Debug)]
pub struct Objects {
    /// What there is.
    pub inner: Arc<InMemory>,
    /// Who asks.
    pub job: Job,
}

impl std::fmt::Display for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("objects")
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "simulation",
        source: "the connection was lost".into(),
    }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        at: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let fate = self.job.cross(&format!("put {at}")).await;
        if matches!(fate, Fate::Refused | Fate::Limited) {
            return Err(broken());
        }
        let done = self.inner.put_opts(at, bytes, options).await;
        match fate {
            Fate::LastAct => {
                self.job.die().await;
                done
            }
            Fate::Lost => Err(broken()),
            _ => done,
        }
    }
    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        match self.job.cross(&format!("get {at}")).await {
            Fate::Fine => self.inner.get_opts(at, options).await,
            Fate::LastAct => {
                self.job.die().await;
                Err(broken())
            }
            Fate::Refused | Fate::Lost | Fate::Limited => Err(broken()),
        }
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }
    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

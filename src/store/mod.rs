//! Object storage with conditional writes: plans, requests, last-applied state, leases.
//!
//! Two writes exist: *create* (only if the key is free) and *replace* (only if the object is
//! still the version that was read). Both are one conditional put on S3, GCS and Azure.

pub mod bucket;
mod folder;
pub mod lease;
pub mod seal;
mod xml;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL in `tenantry.yml` is not usable.
    #[error(
        "the store URL `{url}` is not usable; write `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`"
    )]
    Url {
        /// The URL.
        url: String,
        /// Why.
        #[source]
        source: Option<object_store::Error>,
    },
    /// It did not answer, or refused.
    #[error(
        "the store cannot be reached or refused `{key}`; check the bucket in `tenantry.yml` (`store.url`) and the credentials of this job"
    )]
    Unreachable {
        /// The key.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// The folder store failed.
    #[error("the store folder cannot be used at `{key}`")]
    Folder {
        /// The key.
        key: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An object is not what it should be.
    #[error("the object `{key}` in the store is not readable by this version of tenantry")]
    Corrupt {
        /// The key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An object that is larger than what is ever written there.
    #[error("`{key}` is larger than {limit} bytes, which nothing that tenantry writes there is")]
    TooLarge {
        /// The key.
        key: String,
        /// The limit.
        limit: u64,
    },
    /// A key that could escape its prefix.
    #[error("`{0}` is not a storage key")]
    Key(String),
    /// Somebody else kept writing the same object.
    #[error("`{0}` is being written by somebody else all the time; try again")]
    Contended(String),
}

/// Which version of an object was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(UpdateVersion);

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// Written.
    Done,
    /// Somebody else was first; nothing was written.
    Conflict,
}

/// A store.
#[derive(Debug, Clone)]
pub struct Store(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Folder(Arc<folder::Folder>),
    Object {
        store: Arc<dyn ObjectStore>,
        prefix: Path,
    },
}

impl Store {
    /// Opens `url`. `options` are the cloud settings of the environment (`AWS_REGION`, …),
    /// handed over by the caller because only the command line reads the environment.
    pub fn open(url: &str, options: &[(String, String)]) -> Result<Self, StoreError> {
        let bad = |source| StoreError::Url {
            url: without_user_info(url),
            source,
        };
        if let Some(path) = url.strip_prefix("file://") {
            if !path.starts_with('/') {
                return Err(bad(None));
            }
            return Ok(Self(Backend::Folder(Arc::new(folder::Folder::new(
                path.into(),
            )))));
        }
        let parsed = url::Url::parse(url).map_err(|_| bad(None))?;
        if !["s3", "gs", "az", "abfss"].contains(&parsed.scheme())
            || parsed.username() != ""
            || parsed.password().is_some()
        {
            return Err(bad(None));
        }
        let options = options
            .iter()
            .map(|(k, v)| (k.to_ascii_lowercase(), v.clone()));
        let (store, prefix) =
            object_store::parse_url_opts(&parsed, options).map_err(|e| bad(Some(e)))?;
        Ok(Self(Backend::Object {
            store: Arc::from(store),
            prefix,
        }))
    }

    /// A store over an object storage that is open already.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self(Backend::Object {
            store,
            prefix: Path::default(),
        })
    }

    /// Reads an object and its version.
    pub async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.get(key),
            Backend::Object { store, prefix } => match store.get(&at(prefix, key)).await {
                Ok(found) => {
                    let version = Version(UpdateVersion {
                        e_tag: found.meta.e_tag.clone(),
                        version: found.meta.version.clone(),
                    });
                    let bytes = found
                        .bytes()
                        .await
                        .map_err(|source| unreachable(key, source))?;
                    Ok(Some((bytes.to_vec(), version)))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(unreachable(key, source)),
            },
        }
    }

    /// Reads an object that is not larger than `limit` bytes; a larger one is not read at all.
    pub async fn get_small(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.get_small(key, limit),
            Backend::Object { store, prefix } => match store.get(&at(prefix, key)).await {
                Ok(found) if found.meta.size > limit => Err(StoreError::TooLarge {
                    key: key.to_owned(),
                    limit,
                }),
                Ok(found) => {
                    let bytes = found
                        .bytes()
                        .await
                        .map_err(|source| unreachable(key, source))?;
                    Ok(Some(bytes.to_vec()))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(unreachable(key, source)),
            },
        }
    }

    /// Writes an object only if there is none.
    pub async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<Put, StoreError> {
        check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.create(key, &bytes),
            Backend::Object { store, prefix } => {
                put(store, prefix, key, bytes, PutMode::Create).await
            }
        }
    }

    /// Writes an object only if it still is `version`.
    pub async fn replace(
        &self,
        key: &str,
        bytes: Vec<u8>,
        version: &Version,
    ) -> Result<Put, StoreError> {
        check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.replace(key, &bytes, version),
            Backend::Object { store, prefix } => {
                put(
                    store,
                    prefix,
                    key,
                    bytes,
                    PutMode::Update(version.0.clone()),
                )
                .await
            }
        }
    }

    /// The keys under a folder of keys, in order.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        check(folder)?;
        match &self.0 {
            Backend::Folder(store) => store.list(folder),
            Backend::Object { store, prefix } => {
                use futures_util::TryStreamExt as _;
                let root = at(prefix, folder);
                let found: Vec<_> = store
                    .list(Some(&root))
                    .try_collect()
                    .await
                    .map_err(|e| unreachable(folder, e))?;
                let cut = prefix.as_ref().len() + usize::from(!prefix.as_ref().is_empty());
                let mut keys: Vec<String> = found
                    .iter()
                    .filter_map(|m| m.location.as_ref().get(cut..).map(str::to_owned))
                    .collect();
                keys.sort();
                Ok(keys)
            }
        }
    }

    /// Reads a JSON object.
    pub async fn read<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, Version)>, StoreError> {
        let Some((bytes, version)) = self.get(key).await? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&bytes).map_err(|source| StoreError::Corrupt {
            key: key.to_owned(),
            source,
        })?;
        Ok(Some((value, version)))
    }

    /// Writes a JSON object only if there is none.
    pub async fn create_json(&self, key: &str, value: &impl Serialize) -> Result<Put, StoreError> {
        self.create(key, json(key, value)?).await
    }

    /// Writes a JSON object, whatever was there: read, then create or replace, until it holds.
    pub async fn write_json(&self, key: &str, value: &impl Serialize) -> Result<(), StoreError> {
        self.write(key, json(key, value)?).await
    }

    /// Writes an object, whatever was there.
    pub async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        for _ in 0..20 {
            let put = match self.get(key).await? {
                Some((_, version)) => self.replace(key, bytes.clone(), &version).await?,
                None => self.create(key, bytes.clone()).await?,
            };
            if put == Put::Done {
                return Ok(());
            }
        }
        Err(StoreError::Contended(key.to_owned()))
    }

    /// Changes a JSON object that exists, by read, change and conditional write, until it holds.
    /// `None` when there is no such object; `change` answers whether it changed anything.
    pub async fn update<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T) -> bool,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..20 {
            let Some((mut value, version)) = self.read::<T>(key).await? else {
                return Ok(None);
            };
            if !change(&mut value)
                || self.replace(key, json(key, &value)?, &version).await? == Put::Done
            {
                return Ok(Some(value));
            }
        }
        Err(StoreError::Contended(key.to_owned()))
    }
}

fn json(key: &str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(value).map_err(|source| StoreError::Corrupt {
        key: key.to_owned(),
        source,
    })
}

async fn put(
    store: &Arc<dyn ObjectStore>,
    prefix: &Path,
    key: &str,
    bytes: Vec<u8>,
    mode: PutMode,
) -> Result<Put, StoreError> {
    match store
        .put_opts(&at(prefix, key), bytes.into(), PutOptions::from(mode))
        .await
    {
        Ok(_) => Ok(Put::Done),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => Ok(Put::Conflict),
        Err(source) => Err(unreachable(key, source)),
    }
}

fn unreachable(key: &str, source: object_store::Error) -> StoreError {
    StoreError::Unreachable {
        key: key.to_owned(),
        source,
    }
}

fn at(prefix: &Path, key: &str) -> Path {
    key.split('/')
        .fold(prefix.clone(), |path, part| path.join(part))
}

/// Keys are made of checked ids; this is the second lock on the same door.
fn check(key: &str) -> Result<(), StoreError> {
    let part = |p: &str| {
        !p.is_empty()
            && !p.starts_with('.')
            && p.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
            })
    };
    if key.split('/').all(part) {
        Ok(())
    } else {
        Err(StoreError::Key(crate::estate::ids::shown(key)))
    }
}

fn without_user_info(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn conditional_writes_on_a_folder() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        assert!(store.get("a/b.json").await?.is_none());
        assert_eq!(store.create("a/b.json", b"1".to_vec()).await?, Put::Done);
        assert_eq!(
            store.create("a/b.json", b"2".to_vec()).await?,
            Put::Conflict
        );
        let Some((bytes, old)) = store.get("a/b.json").await? else {
            panic!("gone")
        };
        assert_eq!(bytes, b"1");
        assert_eq!(
            store.replace("a/b.json", b"2".to_vec(), &old).await?,
            Put::Done
        );
        assert_eq!(
            store.replace("a/b.json", b"3".to_vec(), &old).await?,
            Put::Conflict
        );
        assert_eq!(store.list("a").await?, vec!["a/b.json"]);
        assert!(store.list("none").await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn t19_keys_cannot_leave_the_store() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        for key in [
            "../x",
            "a/../b",
            "/a",
            "a//b",
            "A",
            "a%2e%2e/b",
            "env:/x",
            ".lock",
            "a/.tflock",
            "",
        ] {
            assert!(
                matches!(store.get(key).await, Err(StoreError::Key(_))),
                "{key}"
            );
        }
        assert!(Store::open("ftp://x", &[]).is_err());
        assert!(
            Store::open("s3://user:secret@bucket/x", &[])
                .is_err_and(|e| !e.to_string().contains("secret"))
        );
        Ok(())
    }
}

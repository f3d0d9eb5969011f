//! Repairs as values: what is shown is what is carried out.

use super::storage::{Lock, Place, YOUNG};
use crate::clock::Time;
use crate::github::Client;
use crate::github::setup::Change;
use crate::store::Store;
use crate::store::bucket::{Bucket, BucketChange, BucketError};
use crate::store::lease::Holder;
use serde::Serialize;

/// What puts something right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repair {
    /// One sentence.
    pub says: String,
    /// In this order; the first that fails ends it.
    pub acts: Vec<Act>,
    /// What is left for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

impl Repair {
    /// Of one change on GitHub.
    pub fn github(says: impl Into<String>, changes: Vec<Change>) -> Self {
        Self {
            says: says.into(),
            acts: changes.into_iter().map(Act::Github).collect(),
            then: None,
        }
    }

    /// What a person has to do afterwards.
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.then = Some(text.into());
        self
    }
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A call to GitHub.
    Github(Change),
    /// A setting of a bucket.
    Bucket(BucketChange),
    /// A lease that ran out is marked as given back.
    Lease {
        /// Its key.
        key: String,
        /// Which holder it was.
        nonce: String,
    },
    /// A lock of a state is removed; never without a person who has named it.
    BreakLock(Lock),
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Github(change) => {
                write!(f, "{} {}", change.method, change.path)?;
                if !change.body.is_null() {
                    write!(f, " {}", change.body)?;
                }
                Ok(())
            }
            Self::Bucket(c) => write!(f, "PUT s3://{}?{} {}", c.bucket, c.setting, c.body),
            Self::Lease { key, .. } => write!(f, "write `held: false` into {key}"),
            Self::BreakLock(lock) => write!(f, "remove {}/{}", lock.place, lock.key),
        }
    }
}

/// Opens a bucket by its name.
pub type Opens<'a> = &'a (dyn Fn(&str) -> Result<Bucket, BucketError> + Sync);

/// Who carries repairs out.
pub struct Hands<'a> {
    /// Speaks for whoever asked for the repairs.
    pub github: &'a Client,
    /// The store, where there is one.
    pub store: Option<&'a Store>,
    /// Opens buckets.
    pub open: Opens<'a>,
    /// Now.
    pub now: Time,
}

impl std::fmt::Debug for Hands<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hands")
    }
}

/// What became of a repair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Done {
    /// Which.
    pub says: String,
    /// How many of its acts were carried out.
    pub acts: usize,
    /// Why the next one was not.
    pub failed: Option<String>,
    /// What is left for a person.
    pub then: Option<String>,
}

impl Hands<'_> {
    /// Carries repairs out, one after the other. One that fails does not stop the others.
    pub async fn carry_out(&self, repairs: &[Repair]) -> Vec<Done> {
        let mut out = Vec::new();
        for repair in repairs {
            let mut done = Done {
                says: repair.says.clone(),
                acts: 0,
                failed: None,
                then: repair.then.clone(),
            };
            for act in &repair.acts {
                if let Err(why) = self.act(act).await {
                    done.failed = Some(why);
                    break;
                }
                done.acts += 1;
            }
            out.push(done);
        }
        out
    }

    async fn act(&self, act: &Act) -> Result<(), String> {
        match act {
            Act::Github(change) => {
                let made = self.github.carry_out(change).await;
                made.map_err(|e| e.to_string())
            }
            Act::Bucket(change) => {
                let bucket = (self.open)(&change.bucket).map_err(|e| e.to_string())?;
                bucket.change(change).await.map_err(|e| e.to_string())
            }
            Act::Lease { key, nonce } => {
                let store = self.store.ok_or("there is no store")?;
                let now = self.now;
                let put = store.update::<Holder>(key, |there| {
                    // Whoever took it since keeps it.
                    let same = there.nonce == *nonce && there.held && there.until <= now;
                    there.held = there.held && !same;
                    same
                });
                put.await.map(|_| ()).map_err(|e| e.to_string())
            }
            Act::BreakLock(lock) => self.break_lock(lock).await,
        }
    }

    async fn break_lock(&self, lock: &Lock) -> Result<(), String> {
        if self.now.since(lock.since) < YOUNG {
            return Err(
                "the lock is younger than six hours; its holder may still be at work".into(),
            );
        }
        match &lock.place {
            Place::Bucket(name) => {
                let bucket = (self.open)(name).map_err(|e| e.to_string())?;
                let tag = lock.e_tag.as_deref();
                let tag =
                    tag.ok_or("the bucket does not say which version of the lock was read")?;
                bucket
                    .remove(&lock.key, tag)
                    .await
                    .map_err(|e| e.to_string())
            }
            Place::Folder(root) => {
                let path = root.join(&lock.key);
                let there = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
                if lock.id != "unknown" && !there.contains(&lock.id) {
                    return Err("somebody else holds the lock by now".into());
                }
                std::fs::remove_file(&path).map_err(|e| e.to_string())
            }
        }
    }
}

impl Repair {
    /// The lock that this would break.
    pub fn lock(&self) -> Option<&Lock> {
        self.acts.iter().find_map(|act| match act {
            Act::BreakLock(lock) => Some(lock),
            _ => None,
        })
    }
}

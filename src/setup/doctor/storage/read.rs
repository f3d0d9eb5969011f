//! Reads buckets, leases, states and locks.

use super::{BucketFacts, Facts, Lock, Place, StateFacts};
use crate::clock::Time;
use crate::delivery::overview;
use crate::estate::Estate;
use crate::estate::ids::shown;
use crate::estate::settings::StateBackend;
use crate::setup::doctor::Seen;
use crate::store::Store;
use crate::store::bucket::{Bucket, BucketError};
use crate::store::lease::Holder;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What Terraform and OpenTofu write into a lock (`internal/states/statemgr/locker.go`, `LockInfo`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockInfo {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    created: String,
}

const STATE: &str = "terraform.tfstate";
const S3_LOCK: &str = "terraform.tfstate.tflock";
const FILE_LOCK: &str = ".terraform.tfstate.lock.info";

fn told<T>(read: Result<T, BucketError>) -> Seen<T> {
    read.map_err(|e| e.to_string())
}

/// The bucket of a store's URL.
fn bucket_of(url: &str) -> Option<&str> {
    url.strip_prefix("s3://")?.split('/').next()
}

/// Reads everything that is judged; `open` opens a bucket.
pub async fn read(
    estate: &Estate,
    store: Option<&Store>,
    open: &(dyn Fn(&str) -> Result<Bucket, BucketError> + Sync),
) -> Facts {
    let settings = &estate.settings;
    let log = settings.audit.store.as_ref().or(settings.store.as_ref());
    let own_log = settings.audit.store.is_some() && settings.audit.store != settings.store;
    let mut names: BTreeMap<String, bool> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for (url, logs) in [(settings.store.as_ref(), !own_log), (log, true)] {
        let Some(url) = url else { continue };
        match bucket_of(url) {
            Some(bucket) => *names.entry(bucket.to_owned()).or_insert(false) |= logs,
            None if url.starts_with("file://") => {}
            None => {
                others.insert(shown(url));
            }
        }
    }
    let mut places = BTreeSet::new();
    match &settings.state {
        Some(StateBackend::S3 { bucket, .. }) => {
            let own = estate
                .customers
                .values()
                .filter_map(|c| c.state_bucket.clone());
            places.extend(own.chain([bucket.clone()]).map(Place::Bucket));
        }
        Some(StateBackend::Local { path }) => {
            places.insert(Place::Folder(PathBuf::from(path)));
        }
        None => {}
    }
    for place in &places {
        if let Place::Bucket(name) = place {
            names.entry(name.clone()).or_insert(false);
        }
    }
    let mut buckets = BTreeMap::new();
    for (name, logs) in names {
        let facts = bucket(&name, logs, open).await;
        buckets.insert(name, facts);
    }
    let (reachable, applied, leases) = match store {
        None => (None, Ok(BTreeMap::new()), Ok(Vec::new())),
        Some(store) => {
            let applied = overview::applied(store, None).await;
            let applied = applied.map_err(|e| with_causes(&e));
            let leases = leases(store).await;
            (
                Some(applied.as_ref().map(|_| ()).map_err(Clone::clone)),
                applied,
                leases,
            )
        }
    };
    let stores: Vec<String> = settings.store.iter().chain(log).cloned().collect();
    let state = match places.is_empty() {
        true => None,
        false => Some(states(&places, &stores, open).await),
    };
    Facts {
        store: reachable,
        leases,
        applied,
        buckets,
        others,
        own_log,
        state,
    }
}

/// An error with what is behind it: a store's own message says only what to check.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
        cause = next.source();
    }
    out
}

async fn bucket(
    name: &str,
    logs: bool,
    open: &(dyn Fn(&str) -> Result<Bucket, BucketError> + Sync),
) -> BucketFacts {
    let bucket = match open(name) {
        Ok(bucket) => bucket,
        Err(error) => {
            let why = error.to_string();
            return BucketFacts {
                versioning: Err(why.clone()),
                encryption: Err(why.clone()),
                closed: Err(why.clone()),
                retention: logs.then_some(Err(why)),
            };
        }
    };
    BucketFacts {
        versioning: told(bucket.versioning().await),
        encryption: told(bucket.encryption().await),
        closed: told(bucket.no_public_access().await),
        retention: match logs {
            true => Some(told(bucket.retention().await)),
            false => None,
        },
    }
}

async fn leases(store: &Store) -> Seen<Vec<(String, Holder)>> {
    let keys = store.list("leases").await.map_err(|e| with_causes(&e))?;
    let mut out = Vec::new();
    for key in keys {
        let read = store.read::<Holder>(&key).await;
        if let Some((holder, _)) = read.map_err(|e| with_causes(&e))?
            && holder.held
        {
            out.push((key, holder));
        }
    }
    Ok(out)
}

async fn states(
    places: &BTreeSet<Place>,
    stores: &[String],
    open: &(dyn Fn(&str) -> Result<Bucket, BucketError> + Sync),
) -> Seen<StateFacts> {
    let mut out = StateFacts::default();
    for place in places {
        match place {
            Place::Bucket(name) => {
                let bucket = told(open(name))?;
                in_bucket(&bucket, place, stores, &mut out).await?;
            }
            Place::Folder(root) => {
                in_folder(root, root, place, &mut out)
                    .map_err(|e| format!("{}: {e}", root.display()))?;
            }
        }
    }
    Ok(out)
}

/// Every folder but the store's own, which holds no state and may be large.
async fn in_bucket(
    bucket: &Bucket,
    place: &Place,
    stores: &[String],
    out: &mut StateFacts,
) -> Seen<()> {
    let own: Vec<&str> = stores
        .iter()
        .filter_map(|url| url.strip_prefix("s3://")?.split_once('/'))
        .filter(|(name, prefix)| *name == bucket.name() && !prefix.is_empty())
        .map(|(_, prefix)| prefix.split('/').next().unwrap_or(prefix))
        .collect();
    for folder in told(bucket.folders().await)? {
        if own.contains(&folder.as_str()) {
            continue;
        }
        for found in told(bucket.find(Some(&folder), &[STATE, S3_LOCK]).await)? {
            let Some(state) = found.key.strip_suffix(".tflock") else {
                out.states.insert((place.clone(), found.key));
                continue;
            };
            let state = state.to_owned();
            // One that is gone by now was given back.
            let Some(bytes) = told(bucket.small(&found.key).await)? else {
                continue;
            };
            let mut lock = lock(place, &found.key, &state, &bytes, found.modified);
            lock.e_tag = found.e_tag;
            out.locks.push(lock);
        }
    }
    Ok(())
}

fn in_folder(
    root: &Path,
    folder: &Path,
    place: &Place,
    out: &mut StateFacts,
) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        // No link is followed: it may lead anywhere.
        if entry.file_type()?.is_dir() {
            // A state is three folders deep.
            if path
                .strip_prefix(root)
                .is_ok_and(|p| p.components().count() <= 3)
            {
                in_folder(root, &path, place, out)?;
            }
            continue;
        }
        let key = path.strip_prefix(root).unwrap_or(&path);
        let key = key.to_string_lossy().into_owned();
        match path.file_name().and_then(|n| n.to_str()) {
            Some(STATE) => {
                out.states.insert((place.clone(), key));
            }
            Some(FILE_LOCK) => {
                let state = key.replace(FILE_LOCK, STATE);
                let modified = entry.metadata()?.modified().ok();
                let since = modified
                    .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
                    .map_or(0, |d| d.as_secs());
                match std::fs::read(&path) {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    read => out
                        .locks
                        .push(lock(place, &key, &state, &read?, Time(since))),
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a lock says of itself. One that says nothing is a lock all the same, since it was written.
fn lock(place: &Place, key: &str, state: &str, bytes: &[u8], written: Time) -> Lock {
    let info: Option<LockInfo> = serde_json::from_slice(bytes).ok();
    let short = |text: &str| shown(&text.chars().take(200).collect::<String>());
    let (id, who, since) = match &info {
        Some(info) => {
            let created = chrono::DateTime::parse_from_rfc3339(&info.created).ok();
            let since = created.and_then(|t| u64::try_from(t.timestamp()).ok());
            let who = match info.operation.is_empty() {
                true => short(&info.who),
                false => format!("{} ({})", short(&info.who), short(&info.operation)),
            };
            // The clock of who wrote it may be off; the younger of both is believed.
            let since = since.map_or(written, |s| Time(s).max(written));
            (short(&info.id), who, since)
        }
        None => (
            "unknown".into(),
            "somebody who left no name".into(),
            written,
        ),
    };
    Lock {
        place: place.clone(),
        key: key.to_owned(),
        state: state.to_owned(),
        id,
        who,
        since,
        e_tag: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t29_a_lock_is_as_young_as_its_youngest_sign() {
        let place = Place::Bucket("b".into());
        let said = br#"{"ID":"6cf3","Operation":"OperationTypeApply","Who":"runner@x \u001b[31m","Created":"2026-11-21T16:30:43.1Z"}"#;
        let read = lock(&place, "k", "s", said, Time(5));
        assert_eq!(
            (read.id.as_str(), read.since),
            ("6cf3", Time(1_795_278_643))
        );
        assert!(!read.who.contains('\u{1b}') && read.who.contains("OperationTypeApply"));
        let read = lock(&place, "k", "s", said, Time(1_795_300_000));
        assert_eq!(read.since, Time(1_795_300_000));
        let read = lock(&place, "k", "s", b"not json", Time(7));
        assert_eq!((read.id.as_str(), read.since), ("unknown", Time(7)));
    }
}

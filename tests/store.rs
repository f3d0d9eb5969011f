//! The store on S3: the two conditional writes and the lease, against a cloud on this machine.

mod support;

use support::moto::Moto;
use support::{Tested, skip};
use tenantry::clock::Clock;
use tenantry::store::lease::{Taken, take};
use tenantry::store::{Put, Store};

#[tokio::test(flavor = "multi_thread")]
async fn conditional_writes_and_leases_on_s3() -> Tested {
    let dir = tempfile::tempdir()?;
    let Some(moto) = Moto::start(dir.path()).await? else {
        return skip(
            "conditional_writes_and_leases_on_s3",
            "moto_server is not installed; tests/run installs it",
        );
    };
    moto.bucket("estate").await?;
    let options = [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ENDPOINT", moto.url()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ]
    .map(|(k, v)| (k.to_owned(), v));
    let store = Store::open("s3://estate/some/prefix", &options)?;

    assert!(store.get("a/b.json").await?.is_none());
    assert_eq!(store.create("a/b.json", b"1".to_vec()).await?, Put::Done);
    assert_eq!(
        store.create("a/b.json", b"2".to_vec()).await?,
        Put::Conflict
    );
    let (bytes, old) = store.get("a/b.json").await?.ok_or("gone")?;
    assert_eq!(bytes, b"1");
    assert_eq!(
        store.replace("a/b.json", b"2".to_vec(), &old).await?,
        Put::Done
    );
    assert_eq!(
        store.replace("a/b.json", b"3".to_vec(), &old).await?,
        Put::Conflict
    );
    assert_eq!(
        store.get("a/b.json").await?.map(|(b, _)| b),
        Some(b"2".to_vec())
    );
    assert_eq!(store.list("a").await?, ["a/b.json"]);
    assert!(store.list("none").await?.is_empty());

    let clock = Clock::system();
    let key = "leases/acme/web/staging.json";
    let Taken::Yes { lease, after } = take(&store, key, "run 1", 60, &clock).await? else {
        return Err("a free lease cannot be taken".into());
    };
    assert!(after.is_none());
    let Taken::No(holder) = take(&store, key, "run 2", 60, &clock).await? else {
        return Err("a held lease is taken".into());
    };
    assert_eq!(holder.who, "run 1");
    lease.release(&store).await?;
    let again = take(&store, key, "run 2", 60, &clock).await?;
    assert!(matches!(again, Taken::Yes { after: None, .. }));

    // The prefix of the store's URL is where everything lies.
    assert_eq!(
        moto.keys("estate", "").await?,
        [
            "some/prefix/a/b.json",
            "some/prefix/leases/acme/web/staging.json"
        ]
    );
    Ok(())
}

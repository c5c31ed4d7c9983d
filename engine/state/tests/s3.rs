//! Checkpoints in buckets of a real server, over HTTP.
//!
//! The server is moto: it obeys `If-None-Match: *`, so that claims and fencing are really decided by
//! it. Between its look and its write another request may get through, which S3 excludes; what
//! happens when many begin at the same instant is therefore tested in memory, where writes are atomic.

use std::io::{Read, Write};
use std::net::TcpStream;

use sluice_model::{Reaction, Secret};
use sluice_state::{
    CheckpointStore, JobIdentity, Part, Restore, S3Options, Snapshot, SnapshotKind, TaskState, open, write_savepoint,
};

fn port() -> u16 {
    std::env::var("SLUICE_S3_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(24500)
}

fn options() -> S3Options {
    S3Options {
        access_key: Some(Secret::new("sluice")),
        secret_key: Some(Secret::new("sluice-secret")),
        endpoint: Some(format!("http://127.0.0.1:{}", port())),
        ..S3Options::default()
    }
}

/// A new bucket.
fn bucket() -> String {
    let name = format!("state-{}", uuid::Uuid::new_v4().simple());
    let mut server = TcpStream::connect(("127.0.0.1", port()))
        .unwrap_or_else(|error| panic!("no S3 server: {error}; start it with: scripts/services.sh up s3"));
    let authorization =
        "AWS4-HMAC-SHA256 Credential=sluice/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let request = format!(
        "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    server.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    name
}

fn job() -> JobIdentity {
    JobIdentity { id: "0123456789abcdef".into(), name: "sales".into(), key: "sales of 2024".into() }
}

fn store(dir: &str) -> CheckpointStore {
    CheckpointStore::new(dir, &options(), job(), 2).unwrap()
}

fn snapshot(checkpoint: u64, bytes: Vec<u8>) -> Snapshot {
    let states = vec![TaskState { id: "source: sales".into(), subtask: 0, part: Part::Whole, content: bytes.into() }];
    Snapshot { checkpoint, kind: SnapshotKind::Checkpoint, timestamp: 5, states }
}

#[tokio::test]
async fn begins_writes_cleans_and_restores() {
    let dir = format!("s3a://{}/a/checkpoints/", bucket());
    let attempt = store(&dir).begin(Restore::Fresh).await.unwrap();
    for id in 1..=5 {
        attempt.writer.reserve(id).await.unwrap();
        attempt.writer.write(snapshot(id, format!("offset {id}").into_bytes())).await.unwrap();
        attempt.writer.clean().await.unwrap();
    }
    let next = store(&dir).begin(Restore::Latest).await.unwrap();
    let restored = next.restored.unwrap();
    assert_eq!(
        (restored.id, restored.states[0].content.load().unwrap(), next.next_checkpoint),
        (5, b"offset 5".to_vec(), 6)
    );
    assert_eq!(next.epoch, 2);
    let url = restored.path.strip_suffix("chk-5").unwrap();
    assert!(url.starts_with("s3://state-") && url.ends_with("/a/checkpoints/sales of 2024/"), "{url}");
    assert_eq!(open(&format!("{url}chk-4"), &options()).await.unwrap().id, 4);
    let gone = open(&format!("{url}chk-3"), &options()).await.unwrap_err();
    assert_eq!(gone.what(), format!("there is no complete checkpoint at '{url}chk-3'"));
}

#[tokio::test]
async fn a_stale_writer_completes_nothing() {
    let dir = format!("s3://{}", bucket());
    let old = store(&dir).begin(Restore::Fresh).await.unwrap();
    old.writer.write(snapshot(1, vec![1])).await.unwrap();
    let new = store(&dir).begin(Restore::Latest).await.unwrap();
    for error in [old.writer.reserve(2).await.unwrap_err(), old.writer.write(snapshot(2, vec![2])).await.unwrap_err()] {
        assert_eq!(error.what(), "another process has taken over the checkpoints of this job");
    }
    new.writer.write(snapshot(2, vec![3])).await.unwrap();
    assert_eq!(store(&dir).latest_valid().await.unwrap().0.unwrap().states[0].content.load().unwrap(), [3]);
}

#[tokio::test]
async fn large_states_go_in_parts() {
    let dir = format!("s3://{}/big", bucket());
    let bytes: Vec<u8> = (0..40_u32 << 20).map(|index| (index ^ (index >> 11)) as u8).collect();
    let attempt = store(&dir).begin(Restore::Fresh).await.unwrap();
    attempt.writer.write(snapshot(1, bytes.clone())).await.unwrap();
    let restored = store(&dir).begin(Restore::Latest).await.unwrap().restored.unwrap();
    let read = tokio::task::spawn_blocking(move || restored.states[0].content.load().unwrap());
    assert!(read.await.unwrap() == bytes);
}

#[tokio::test]
async fn a_savepoint_may_lie_elsewhere_than_the_checkpoints() {
    let local = tempfile::tempdir().unwrap();
    let (local, remote) = (local.path().display().to_string(), format!("s3://{}/savepoints", bucket()));
    let savepoint = Snapshot { kind: SnapshotKind::Savepoint, ..snapshot(7, vec![7]) };
    let written = write_savepoint(&remote, &options(), &job(), 1, savepoint).await.unwrap();
    let begin = |restore| async { store(&local).begin(restore).await.unwrap() };
    assert_eq!(begin(Restore::Path(written.path.clone())).await.restored.unwrap().id, 7);
    // Killed before its first checkpoint, it begins from there again.
    assert_eq!(begin(Restore::Latest).await.restored.unwrap().path, written.path);
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_to_be_made() {
    bucket();
    let error = store("s3://no-such-bucket-here/a").begin(Restore::Latest).await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Fix);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot write to 's3://no-such-bucket-here/a/sales of 2024'\n  because: NoSuchBucket: The specified bucket \
             does not exist\n  hint: create the bucket on http://127.0.0.1:{}, or correct its name",
            port()
        )
    );
}

#[tokio::test]
async fn a_server_that_is_down_is_worth_another_try() {
    let options = S3Options { endpoint: Some("http://127.0.0.1:1".into()), ..options() };
    let store = CheckpointStore::new("s3://b/a", &options, job(), 2).unwrap();
    let error = store.begin(Restore::Latest).await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Retry);
    assert_eq!(error.what(), "cannot write to 's3://b/a/sales of 2024'");
    assert!(error.why().unwrap().to_lowercase().contains("connection refused"), "{error}");
    assert_eq!(
        error.hint(),
        Some("check that http://127.0.0.1:1 is up and can be reached ('s3.endpoint', 's3.region')")
    );
}

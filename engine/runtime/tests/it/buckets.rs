//! Jobs whose checkpoints and savepoints lie in a bucket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sluice_model::Secret;
use sluice_runtime::{JobConfig, Restore, S3Options, StopRequest};

use crate::support::{PlanBuilder, TestBed, World, assert_rows, eventually, updates};

fn port() -> u16 {
    std::env::var("SLUICE_S3_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(24500)
}

/// A new bucket.
fn bucket() -> String {
    let name = format!("jobs-{}", uuid::Uuid::new_v4().simple());
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

fn config(bed: &TestBed, bucket: &str) -> JobConfig {
    JobConfig {
        checkpoint_dir: format!("s3://{bucket}/checkpoints"),
        savepoint_dir: Some(format!("s3://{bucket}/savepoints")),
        s3: S3Options {
            access_key: Some(Secret::new("sluice")),
            secret_key: Some(Secret::new("sluice-secret")),
            endpoint: Some(format!("http://127.0.0.1:{}", port())),
            ..S3Options::default()
        },
        ..bed.config()
    }
}

fn plan(bounded: &str) -> sluice_plan::StreamPlan {
    PlanBuilder::copy(&[("batch", "7"), ("delay", "5ms"), ("bounded", bounded)], &[("mode", "transactional")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_points_change_nothing() {
    let script = updates(3000, 100, (0, 1));
    let mut bed = TestBed::new(World::default().with_script("in", script.clone()));
    let config = JobConfig { restore: Restore::Latest, ..config(&bed, &bucket()) };
    let mut restored = 0;
    for kill in 0..10_u64 {
        let job = bed.submit(plan("true"), config.clone());
        let completed = || job.checkpoints().counts.completed > kill % 3 || job.status().is_terminal();
        eventually("checkpoints are complete", completed).await;
        tokio::time::sleep(Duration::from_millis((kill * 37) % 41)).await;
        restored += u32::from(job.checkpoints().restored.is_some());
        if kill % 2 == 0 {
            job.cancel();
            job.wait().await.unwrap();
        }
        // Else the old process still runs for a moment beside the new one.
        bed.crash();
    }
    bed.submit(plan("true"), config).wait().await.unwrap();
    assert!(restored > 5, "only {restored} runs went on from a checkpoint");
    assert_rows(&bed.world.log("out"), &script, "log");
}

#[tokio::test]
async fn a_job_goes_on_from_a_savepoint_in_a_bucket() {
    let script = updates(300, 50, (0, 1));
    let bed = TestBed::new(World::default().with_script("in", script.clone()));
    let config = config(&bed, &bucket());
    let job = bed.submit(plan("false"), config.clone());
    eventually("a checkpoint is complete", || job.checkpoints().counts.completed > 0).await;
    let request = StopRequest { savepoint: true, ..StopRequest::default() };
    let path = job.stop(request).await.unwrap().unwrap();
    assert!(path.starts_with("s3://jobs-") && path.contains("/savepoints/savepoint-"), "{path}");
    let job = bed.submit(plan("true"), JobConfig { restore: Restore::Path(path), ..config });
    job.wait().await.unwrap();
    assert_rows(&bed.world.log("out"), &script, "log");
}

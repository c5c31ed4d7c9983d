//! A broker that is killed in the middle of a stream, stays away for twenty seconds and comes back.
//!
//! It runs on a broker of its own: instance 3 of `scripts/services.sh`, whose ports are 30 higher.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sluice_model::from_pretty;
use support::{create_topic, materialize, open, people, read_topic, require_broker, upsert_sink};

const SERVERS: &str = "127.0.0.1:29122";
const KEYS: u64 = 20;

fn services(command: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/services.sh");
    let status = Command::new(&script).args([command, "kafka"]).env("SLUICE_SERVICES_INSTANCE", "3").status();
    let status = status.unwrap_or_else(|error| panic!("{} cannot be run: {error}", script.display()));
    assert!(status.success(), "scripts/services.sh {command} kafka failed");
}

/// Takes the broker down when the test is over, however it ends.
struct Broker;

impl Drop for Broker {
    fn drop(&mut self) {
        services("down");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_reordered_while_the_broker_is_away() {
    services("up");
    let _broker = Broker;
    require_broker(SERVERS);
    let topic = format!("restart-{}", uuid::Uuid::new_v4());
    create_topic(SERVERS, &topic, 3, &[]).await;
    let sink = upsert_sink(SERVERS, &topic, people(), &[]);
    let mut writer = open(sink.as_ref()).await;

    let outage = tokio::task::spawn_blocking(|| {
        std::thread::sleep(Duration::from_secs(2));
        services("kill");
        std::thread::sleep(Duration::from_secs(20));
        services("up");
    });
    let started = Instant::now();
    let mut version = 0u64;
    while !outage.is_finished() || started.elapsed() < Duration::from_secs(5) {
        let rows: Vec<_> = (0..100).map(|row| format!("+U {} v{}", (version + row) % KEYS, version + row)).collect();
        writer.write(from_pretty("id INT, name STRING", &rows.join(" / "))).await.unwrap();
        version += rows.len() as u64;
        // A checkpoint now and then; during the outage it waits for the broker.
        if version.is_multiple_of(20_000) {
            writer.flush().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    outage.await.unwrap();
    writer.flush().await.unwrap();

    let seen = read_topic(SERVERS, &topic);
    assert_eq!(seen.len() as u64, version, "every message once");
    let table = materialize(&seen);
    assert_eq!(table.len() as u64, KEYS);
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for message in seen {
        let value = message.value.unwrap();
        let version: u64 = value.rsplit_once("\"v").unwrap().1.trim_end_matches("\"}").parse().unwrap();
        let before = newest.insert(message.key.unwrap(), version);
        assert!(before.is_none_or(|before| before < version), "version {version} came behind {before:?}");
    }
    assert!(newest.values().all(|newest| version - newest <= KEYS), "{newest:?}");
}

//! The store against crashes, damage and rivals.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use sluice_model::{CheckpointId, Result};

use crate::crash_disk::{CrashDisk, Unsynced};
use crate::disk::Disk;
use crate::store::open_on;
use crate::{Attempt, Checkpoint, CheckpointStore, JobIdentity, Restore, Snapshot, SnapshotKind, TaskState};

fn job() -> JobIdentity {
    JobIdentity { id: "0123456789abcdef0123456789abcdef".into(), name: "sales".into(), key: "sales".into() }
}

fn store(disk: &Arc<CrashDisk>) -> CheckpointStore {
    CheckpointStore::on(Arc::clone(disk) as _, "/state", job(), 3).unwrap()
}

/// States that tell their checkpoint.
fn states(checkpoint: CheckpointId) -> Vec<TaskState> {
    let state = |id: &str, subtask, bytes: String| TaskState { id: id.into(), subtask, bytes: bytes.into_bytes() };
    vec![
        state("source: sales", 0, format!("offset {checkpoint}")),
        state("sink: kafka", 0, String::new()),
        state("sink: kafka", 1, format!("token {}", "x".repeat(checkpoint as usize))),
    ]
}

fn snapshot(checkpoint: CheckpointId) -> Snapshot {
    Snapshot { checkpoint, kind: SnapshotKind::Checkpoint, timestamp: 5, states: states(checkpoint) }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What callers were told before the power failed.
#[derive(Debug, Default)]
struct Told {
    reserved: CheckpointId,
    completed: CheckpointId,
}

/// Begins, writes checkpoints and cleans, until done or dead.
async fn work(store: &CheckpointStore, checkpoints: u64, told: &mut Told) -> Result<()> {
    let attempt = store.begin(Restore::Latest).await?;
    for id in attempt.next_checkpoint..attempt.next_checkpoint + checkpoints {
        attempt.writer.reserve(id).await?;
        told.reserved = id;
        attempt.writer.write(snapshot(id)).await?;
        told.completed = id;
        attempt.writer.clean().await?;
    }
    Ok(())
}

fn assert_intact(checkpoint: &Checkpoint) {
    assert_eq!(checkpoint.states, states(checkpoint.id));
}

#[test]
fn comes_back_after_a_crash_at_any_step() {
    for unsynced in [Unsynced::Kept, Unsynced::Lost, Unsynced::NamesKept] {
        let mut step = 0;
        loop {
            let disk = Arc::new(CrashDisk::default());
            let mut told = Told::default();
            run(work(&store(&disk), 2, &mut told)).unwrap();
            disk.die_at(step);
            let finished = run(work(&store(&disk), 4, &mut told)).is_ok();
            let disk = Arc::new(disk.after_crash(unsynced));
            let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
            let restored = attempt.restored.expect("a checkpoint was reported before");
            assert!(
                restored.id == told.completed || restored.id == told.completed + 1,
                "{unsynced:?}, step {step}: restored {} after {told:?}",
                restored.id
            );
            assert!(attempt.next_checkpoint > told.reserved, "{unsynced:?}, step {step}: a number came twice");
            assert_intact(&restored);
            assert_eq!(attempt.skipped, [], "{unsynced:?}, step {step}");
            run(attempt.writer.write(snapshot(attempt.next_checkpoint))).unwrap();
            if finished {
                break;
            }
            step += 1;
        }
        assert!(step > 100, "only {step} steps were tried");
    }
}

#[test]
fn comes_back_after_crashes_during_recovery() {
    for step in 0..60 {
        let disk = Arc::new(CrashDisk::default());
        let mut told = Told::default();
        run(work(&store(&disk), 2, &mut told)).unwrap();
        let mut disk = disk;
        for _ in 0..3 {
            disk.die_at(step);
            run(store(&disk).begin(Restore::Latest)).ok();
            disk = Arc::new(disk.after_crash(Unsynced::Lost));
        }
        let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.restored.map(|restored| restored.id), Some(told.completed), "step {step}");
    }
}

#[test]
fn a_failing_disk_costs_that_checkpoint_only() {
    for step in 0..30 {
        let disk = Arc::new(CrashDisk::default());
        let attempt = run(store(&disk).begin(Restore::Fresh)).unwrap();
        run(attempt.writer.write(snapshot(1))).unwrap();
        disk.die_at(step);
        if run(attempt.writer.write(snapshot(2))).is_ok() {
            return;
        }
        assert!(disk.is_dead());
        // Space was freed; the same process goes on.
        let disk = Arc::new(disk.after_crash(Unsynced::Kept));
        let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
        run(attempt.writer.write(snapshot(attempt.next_checkpoint))).unwrap();
        let (latest, _) = run(store(&disk).latest_valid()).unwrap();
        assert_eq!(latest.unwrap().id, attempt.next_checkpoint);
    }
    panic!("a checkpoint has more than 30 steps");
}

fn three_checkpoints() -> Arc<CrashDisk> {
    let disk = Arc::new(CrashDisk::default());
    run(work(&store(&disk), 3, &mut Told::default())).unwrap();
    disk
}

#[test]
fn a_damaged_newest_checkpoint_falls_back_loudly() {
    for (file, why) in [
        ("state-1.bin", "file 'state-1.bin' is damaged: its checksum does not match"),
        ("MANIFEST.json", "the manifest is damaged: its checksum does not match"),
    ] {
        let disk = three_checkpoints();
        disk.damage(&Path::new("/state/sales/chk-3").join(file), |content| content[14] ^= 1);
        let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.restored.unwrap().id, 2);
        assert_eq!(attempt.skipped.len(), 1);
        assert_eq!((attempt.skipped[0].path.as_str(), attempt.skipped[0].why.as_str()), ("/state/sales/chk-3", why));
        assert_eq!(attempt.next_checkpoint, 4);
    }
}

#[test]
fn after_a_fallback_the_damaged_checkpoint_stays_out_even_if_it_heals() {
    let disk = three_checkpoints();
    let flip = |content: &mut Vec<u8>| content[0] ^= 1;
    disk.damage(Path::new("/state/sales/chk-3/state-1.bin"), flip);
    let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
    disk.damage(Path::new("/state/sales/chk-3/state-1.bin"), flip);
    let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
}

#[test]
fn if_all_are_damaged_nothing_starts_from_nothing() {
    let disk = three_checkpoints();
    for path in disk.files().iter().filter(|path| path.ends_with("state-1.bin")) {
        disk.damage(path, Vec::clear);
    }
    let error = run(store(&disk).begin(Restore::Latest)).unwrap_err();
    assert_eq!(error.what(), "no checkpoint in '/state/sales' can be restored");
    assert!(error.why().unwrap().contains("chk-2: file 'state-1.bin' has 0 bytes instead of"));
    assert!(run(store(&disk).begin(Restore::Fresh)).unwrap().restored.is_none());
}

#[test]
fn a_stale_writer_completes_nothing() {
    let disk = three_checkpoints();
    let old = run(store(&disk).begin(Restore::Latest)).unwrap();
    let new = run(store(&disk).begin(Restore::Latest)).unwrap();
    let error = run(old.writer.write(snapshot(4))).unwrap_err();
    assert_eq!(error.what(), "another process has taken over the checkpoints of this job");
    run(new.writer.write(snapshot(4))).unwrap();
    assert_eq!(run(store(&disk).latest_valid()).unwrap().0.unwrap().epoch, new.epoch);
}

/// Lets somebody else act at the moment at which a checkpoint has got its manifest.
#[derive(Debug)]
struct Interrupted {
    disk: Arc<CrashDisk>,
    rival: Mutex<Option<std::sync::mpsc::Sender<Attempt>>>,
}

impl Disk for Interrupted {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir_all(path)
    }
    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.disk.write_new(path, content)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn link_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link_new(from, to)?;
        if let Some(rival) = self.rival.lock().unwrap().take() {
            rival.send(run(store(&self.disk).begin(Restore::Latest)).unwrap()).unwrap();
        }
        Ok(())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
}

#[test]
fn a_checkpoint_that_a_newer_attempt_restored_stays_although_its_writer_was_too_late() {
    let disk = three_checkpoints();
    let (sender, restored) = std::sync::mpsc::channel();
    let interrupted = Interrupted { disk: Arc::clone(&disk), rival: Mutex::new(Some(sender)) };
    let old_store = CheckpointStore::on(Arc::new(interrupted), "/state", job(), 3).unwrap();
    let old = run(old_store.begin(Restore::Latest)).unwrap();
    let error = run(old.writer.write(snapshot(4))).unwrap_err();
    assert_eq!(error.what(), "another process has taken over the checkpoints of this job");
    assert_eq!(restored.recv().unwrap().restored.unwrap().id, 4);
    // The newer attempt is killed before it has a checkpoint of its own.
    let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 4);
}

#[test]
fn concurrent_writers_never_share_an_epoch_and_only_the_newest_completes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let attempts: Vec<Attempt> = runtime.block_on(async {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = CheckpointStore::new(&url, job(), 3).unwrap();
                tokio::spawn(async move { store.begin(Restore::Latest).await.unwrap() })
            })
            .collect();
        let mut attempts = Vec::new();
        for task in tasks {
            attempts.push(task.await.unwrap());
        }
        attempts
    });
    let epochs: BTreeSet<u64> = attempts.iter().map(|attempt| attempt.epoch).collect();
    assert_eq!(epochs.len(), 16);
    for attempt in &attempts {
        let written = runtime.block_on(attempt.writer.write(snapshot(1)));
        assert_eq!(written.is_ok(), Some(&attempt.epoch) == epochs.last());
    }
}

#[test]
fn keeps_the_newest_three_and_every_savepoint() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let savepoints = dir.path().join("savepoints").display().to_string();
    run(async {
        let store = CheckpointStore::new(&path, job(), 3).unwrap();
        let attempt = store.begin(Restore::Fresh).await.unwrap();
        for id in 1..=9 {
            attempt.writer.write(snapshot(id)).await.unwrap();
            let savepoint = Snapshot { kind: SnapshotKind::Savepoint, ..snapshot(id) };
            crate::write_savepoint(&savepoints, &job(), attempt.epoch, savepoint).await.unwrap();
            attempt.writer.clean().await.unwrap();
        }
    });
    let names = |path: &Path| {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect::<BTreeSet<_>>()
    };
    let expected = ["chk-7", "chk-8", "chk-9", "epochs"].map(String::from);
    assert_eq!(names(&dir.path().join("sales")), BTreeSet::from(expected));
    let savepoints = names(&dir.path().join("savepoints"));
    assert_eq!(savepoints.len(), 9);
    assert!(savepoints.iter().all(|name| name.starts_with("savepoint-012345-") && name.len() == 29));
}

#[test]
fn a_path_may_name_the_directory_the_manifest_or_the_job() {
    let disk = three_checkpoints();
    for (path, id) in [
        ("/state/sales/chk-2", 2),
        ("file:///state/sales/chk-2/", 2),
        ("/state/sales/chk-2/MANIFEST.json", 2),
        ("/state/sales", 3),
    ] {
        assert_eq!(open_on(disk.as_ref(), path).unwrap().id, id, "{path}");
    }
    let error = open_on(disk.as_ref(), "/state/sales/chk-9").unwrap_err();
    assert_eq!(error.what(), "there is no complete checkpoint at '/state/sales/chk-9'");
}

#[test]
fn a_run_from_a_savepoint_goes_on_from_it_until_it_has_its_own_checkpoint() {
    let disk = three_checkpoints();
    let other = CheckpointStore::on(Arc::clone(&disk) as _, "/state", JobIdentity { key: "other".into(), ..job() }, 3);
    let other = other.unwrap();
    let attempt = run(other.begin(Restore::Path("/state/sales/chk-2".into()))).unwrap();
    assert_eq!((attempt.restored.unwrap().id, attempt.next_checkpoint), (2, 3));
    let attempt = run(other.begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
    run(attempt.writer.write(snapshot(3))).unwrap();
    assert_eq!(run(other.begin(Restore::Latest)).unwrap().restored.unwrap().path, "/state/other/chk-3");
}

#[test]
fn a_directory_removed_while_running_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(async {
        let store = CheckpointStore::new(&path, job(), 3).unwrap();
        let attempt = store.begin(Restore::Fresh).await.unwrap();
        attempt.writer.write(snapshot(1)).await.unwrap();
        std::fs::remove_dir_all(dir.path().join("sales")).unwrap();
        attempt.writer.write(snapshot(2)).await.unwrap();
        assert_eq!(store.begin(Restore::Latest).await.unwrap().restored.unwrap().id, 2);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is done to one file of the newest checkpoint, either it is found out or nothing was changed.
    #[test]
    fn damage_never_goes_unnoticed(file in 0_usize..2, position in 0_usize..4096, kind in 0_u8..3, bit in 0_u8..8) {
        let disk = three_checkpoints();
        let name = ["state-1.bin", "MANIFEST.json"][file];
        let path: PathBuf = Path::new("/state/sales/chk-3").join(name);
        disk.damage(&path, |content| {
            let position = position % content.len();
            match kind {
                0 => content[position] ^= 1 << bit,
                1 => content.truncate(position),
                _ => content.insert(position, bit),
            }
        });
        let attempt = run(store(&disk).begin(Restore::Latest)).unwrap();
        let restored = attempt.restored.unwrap();
        prop_assert_eq!(restored.id, 2);
        prop_assert_eq!(restored.states, states(2));
        prop_assert_eq!(attempt.skipped.len(), 1);
    }
}

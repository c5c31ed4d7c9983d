//! The store against crashes, damage and rivals, on a disk and in a bucket.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use sluice_model::{CheckpointId, Result};

use crate::location::{Place, Storages};
use crate::machine::{BucketMachine, DiskMachine, Machine, job, on_both, run};
use crate::storage::{Storage, Upload};
use crate::store::{open_on, write_savepoint_on};
use crate::{
    Attempt, Checkpoint, CheckpointStore, JobIdentity, Part, Restore, S3Options, Snapshot, SnapshotKind, TaskState,
};

on_both! {
    comes_back_after_a_crash_at_any_step
    comes_back_after_crashes_during_recovery
    a_failing_storage_costs_that_checkpoint_only
    a_damaged_newest_checkpoint_falls_back_loudly
    after_a_fallback_the_damaged_checkpoint_stays_out_even_if_it_heals
    if_all_are_damaged_nothing_starts_from_nothing
    a_stale_writer_completes_nothing
    a_checkpoint_that_a_newer_attempt_restored_stays_although_its_writer_was_too_late
    concurrent_writers_never_share_an_epoch_and_only_the_newest_completes
    keeps_the_newest_three_and_every_savepoint
    a_path_may_name_the_directory_the_manifest_or_the_job
    a_run_from_a_savepoint_goes_on_from_it_until_it_has_its_own_checkpoint
    a_directory_removed_while_running_is_made_again
    damage_never_goes_unnoticed
}

/// States that tell their checkpoint.
pub(crate) fn states(checkpoint: CheckpointId) -> Vec<TaskState> {
    let state = |id: &str, subtask, bytes: String| TaskState {
        id: id.into(),
        subtask,
        part: Part::Whole,
        content: bytes.into_bytes().into(),
    };
    vec![
        state("source: sales", 0, format!("offset {checkpoint}")),
        state("sink: kafka", 0, String::new()),
        state("sink: kafka", 1, format!("token {}", "x".repeat(checkpoint as usize))),
    ]
}

pub(crate) fn snapshot(checkpoint: CheckpointId) -> Snapshot {
    Snapshot { checkpoint, kind: SnapshotKind::Checkpoint, timestamp: 5, states: states(checkpoint) }
}

/// What callers were told before the power failed.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) reserved: CheckpointId,
    pub(crate) completed: CheckpointId,
}

/// Begins, writes checkpoints and cleans, until done or dead.
pub(crate) async fn work(store: &CheckpointStore, checkpoints: u64, told: &mut Told) -> Result<()> {
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

fn comes_back_after_a_crash_at_any_step<M: Machine>() {
    for fate in M::FATES.iter().copied() {
        let mut step = 0;
        loop {
            let machine = M::default();
            let mut told = Told::default();
            run(work(&machine.store(), 2, &mut told)).unwrap();
            machine.die_at(step, fate);
            let finished = run(work(&machine.store(), 4, &mut told)).is_ok();
            let machine = machine.after_crash(fate);
            let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
            let restored = attempt.restored.expect("a checkpoint was reported before");
            assert!(
                restored.id == told.completed || restored.id == told.completed + 1,
                "{fate:?}, step {step}: restored {} after {told:?}",
                restored.id
            );
            assert!(attempt.next_checkpoint > told.reserved, "{fate:?}, step {step}: a number came twice");
            assert_intact(&restored);
            assert_eq!(attempt.skipped, [], "{fate:?}, step {step}");
            run(attempt.writer.write(snapshot(attempt.next_checkpoint))).unwrap();
            if finished {
                break;
            }
            step += 1;
        }
        assert!(step > M::STEPS, "only {step} steps were tried");
    }
}

fn comes_back_after_crashes_during_recovery<M: Machine>() {
    for (step, fate) in (0..60).flat_map(|step| M::FATES.iter().map(move |fate| (step, *fate))) {
        let mut machine = M::default();
        let mut told = Told::default();
        run(work(&machine.store(), 2, &mut told)).unwrap();
        for _ in 0..3 {
            machine.die_at(step, fate);
            run(machine.store().begin(Restore::Latest)).ok();
            machine = machine.after_crash(fate);
        }
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.restored.map(|restored| restored.id), Some(told.completed), "{fate:?}, step {step}");
    }
}

fn a_failing_storage_costs_that_checkpoint_only<M: Machine>() {
    for step in 0..40 {
        let machine = M::default();
        let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
        run(attempt.writer.write(snapshot(1))).unwrap();
        machine.die_at(step, M::FATES[0]);
        if run(attempt.writer.write(snapshot(2))).is_ok() {
            return;
        }
        assert!(machine.is_dead());
        // Space was freed, or the network is back; the same process goes on.
        let machine = machine.after_crash(M::FATES[0]);
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        run(attempt.writer.write(snapshot(attempt.next_checkpoint))).unwrap();
        let (latest, _) = run(machine.store().latest_valid()).unwrap();
        assert_eq!(latest.unwrap().id, attempt.next_checkpoint);
    }
    panic!("a checkpoint has more than 40 steps");
}

fn three_checkpoints<M: Machine>() -> M {
    let machine = M::default();
    run(work(&machine.store(), 3, &mut Told::default())).unwrap();
    machine
}

fn a_damaged_newest_checkpoint_falls_back_loudly<M: Machine>() {
    for (file, why) in [
        ("state-1.bin", "file 'state-1.bin' is damaged: its checksum does not match"),
        ("MANIFEST.json", "the manifest is damaged: its checksum does not match"),
    ] {
        let machine = three_checkpoints::<M>();
        machine.damage(&format!("sales/chk-3/{file}"), |content| content[14] ^= 1);
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.restored.unwrap().id, 2);
        assert_eq!(attempt.skipped.len(), 1);
        assert_eq!(attempt.skipped[0].path, format!("{}/sales/chk-3", M::ROOT));
        assert_eq!(attempt.skipped[0].why, why);
        assert_eq!(attempt.next_checkpoint, 4);
    }
}

fn after_a_fallback_the_damaged_checkpoint_stays_out_even_if_it_heals<M: Machine>() {
    let machine = three_checkpoints::<M>();
    let flip = |content: &mut Vec<u8>| content[0] ^= 1;
    machine.damage("sales/chk-3/state-1.bin", flip);
    let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
    machine.damage("sales/chk-3/state-1.bin", flip);
    let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
}

fn if_all_are_damaged_nothing_starts_from_nothing<M: Machine>() {
    let machine = three_checkpoints::<M>();
    for file in machine.files().iter().filter(|file| file.ends_with("state-1.bin")) {
        machine.damage(file, Vec::clear);
    }
    let error = run(machine.store().begin(Restore::Latest)).unwrap_err();
    assert_eq!(error.what(), format!("no checkpoint in '{}/sales' can be restored", M::ROOT));
    assert!(error.why().unwrap().contains("chk-2: file 'state-1.bin' has 0 bytes instead of"));
    assert!(run(machine.store().begin(Restore::Fresh)).unwrap().restored.is_none());
}

fn a_stale_writer_completes_nothing<M: Machine>() {
    let machine = three_checkpoints::<M>();
    let old = run(machine.store().begin(Restore::Latest)).unwrap();
    let new = run(machine.store().begin(Restore::Latest)).unwrap();
    let error = run(old.writer.write(snapshot(4))).unwrap_err();
    assert_eq!(error.what(), "another process has taken over the checkpoints of this job");
    run(new.writer.write(snapshot(4))).unwrap();
    assert_eq!(run(machine.store().latest_valid()).unwrap().0.unwrap().epoch, new.epoch);
}

/// Lets somebody else act at the moment at which a checkpoint has got its manifest.
#[derive(Debug)]
struct Interrupted {
    storage: Arc<dyn Storage>,
    rival: Mutex<Option<(CheckpointStore, std::sync::mpsc::Sender<Attempt>)>>,
}

impl Storage for Interrupted {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.storage.create_dir_all(path)
    }
    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.storage.write_new(path, content)
    }
    fn create(&self, path: &Path, expected: u64) -> io::Result<Box<dyn Upload + '_>> {
        self.storage.create(path, expected)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.storage.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.storage.rename(from, to)
    }
    fn link_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.storage.link_new(from, to)?;
        if let Some((store, sender)) = self.rival.lock().unwrap().take() {
            // On a runtime of its own, which this thread must not be part of.
            let rival = std::thread::spawn(move || run(store.begin(Restore::Latest)).unwrap());
            sender.send(rival.join().unwrap()).unwrap();
        }
        Ok(())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.storage.read(path)
    }
    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Bytes> {
        self.storage.read_range(path, offset, length)
    }
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.storage.length(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.storage.list(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.storage.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.storage.remove_dir(path)
    }
}

fn a_checkpoint_that_a_newer_attempt_restored_stays_although_its_writer_was_too_late<M: Machine>() {
    let machine = three_checkpoints::<M>();
    let (sender, restored) = std::sync::mpsc::channel();
    let Place { storage, .. } = machine.storages().place(M::ROOT).unwrap();
    let rival = Mutex::new(Some((machine.store(), sender)));
    let interrupted = Storages::Only(Arc::new(Interrupted { storage, rival }));
    let old_store = CheckpointStore::on(interrupted, M::ROOT, job(), 3).unwrap();
    let old = run(old_store.begin(Restore::Latest)).unwrap();
    let error = run(old.writer.write(snapshot(4))).unwrap_err();
    assert_eq!(error.what(), "another process has taken over the checkpoints of this job");
    assert_eq!(restored.recv().unwrap().restored.unwrap().id, 4);
    // The newer attempt is killed before it has a checkpoint of its own.
    let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 4);
}

fn concurrent_writers_never_share_an_epoch_and_only_the_newest_completes<M: Machine>() {
    let machine = M::default();
    only_the_newest_of_many_completes(|| machine.store());
}

#[test]
fn nor_do_they_in_a_directory_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    only_the_newest_of_many_completes(|| CheckpointStore::new(&url, &S3Options::default(), job(), 3).unwrap());
}

fn only_the_newest_of_many_completes(store: impl Fn() -> CheckpointStore) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let attempts: Vec<Attempt> = runtime.block_on(async {
        let begin = |store: CheckpointStore| async move { store.begin(Restore::Latest).await.unwrap() };
        let tasks: Vec<_> = (0..16).map(|_| tokio::spawn(begin(store()))).collect();
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

fn keeps_the_newest_three_and_every_savepoint<M: Machine>() {
    let machine = M::default();
    retention(machine.storages(), M::ROOT);
    // Nothing stays behind that no listing shows.
    assert!(!machine.files().iter().any(|file| file.contains("chk-6") || file.contains("probe")));
}

#[test]
fn so_does_a_directory_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    retention(Storages::All(S3Options::default()), &dir.path().display().to_string());
}

fn retention(storages: Storages, root: &str) {
    let names = |dir: &str| -> BTreeSet<String> {
        let Place { storage, path } = storages.place(&format!("{root}/{dir}")).unwrap();
        let list = async { tokio::task::spawn_blocking(move || storage.list(&path)).await.unwrap() };
        run(list).unwrap().into_iter().collect()
    };
    run(async {
        let store = CheckpointStore::on(storages.clone(), root, job(), 3).unwrap();
        let attempt = store.begin(Restore::Fresh).await.unwrap();
        for id in 1..=9 {
            attempt.writer.write(snapshot(id)).await.unwrap();
            let savepoint = Snapshot { kind: SnapshotKind::Savepoint, ..snapshot(id) };
            let (storages, dir) = (storages.clone(), format!("{root}/savepoints"));
            let write = move || write_savepoint_on(&storages, &dir, &job(), attempt.epoch, &savepoint);
            tokio::task::spawn_blocking(write).await.unwrap().unwrap();
            attempt.writer.clean().await.unwrap();
        }
    });
    assert_eq!(names("sales"), BTreeSet::from(["chk-7", "chk-8", "chk-9", "epochs"].map(String::from)));
    let savepoints = names("savepoints");
    assert_eq!(savepoints.len(), 9);
    assert!(savepoints.iter().all(|name| name.starts_with("savepoint-012345-") && name.len() == 29));
}

fn open<M: Machine>(machine: &M, path: &str) -> Result<Checkpoint> {
    let (storages, path) = (machine.storages(), path.to_owned());
    run(async { tokio::task::spawn_blocking(move || open_on(&storages, &path)).await.unwrap() })
}

fn a_path_may_name_the_directory_the_manifest_or_the_job<M: Machine>() {
    let machine = three_checkpoints::<M>();
    for (path, id) in [("chk-2", 2), ("chk-2/", 2), ("chk-2/MANIFEST.json", 2), ("", 3)] {
        assert_eq!(open(&machine, &format!("{}/sales/{path}", M::ROOT)).unwrap().id, id, "{path}");
    }
    let missing = format!("{}/sales/chk-9", M::ROOT);
    let error = open(&machine, &missing).unwrap_err();
    assert_eq!(error.what(), format!("there is no complete checkpoint at '{missing}'"));
}

#[test]
fn a_path_may_be_a_url_of_a_file() {
    assert_eq!(open(&three_checkpoints::<DiskMachine>(), "file:///state/sales/chk-2/").unwrap().id, 2);
    assert_eq!(open(&three_checkpoints::<BucketMachine>(), "s3a://bucket/state/sales/chk-2").unwrap().id, 2);
}

fn a_run_from_a_savepoint_goes_on_from_it_until_it_has_its_own_checkpoint<M: Machine>() {
    let machine = three_checkpoints::<M>();
    let other = machine.store_of(JobIdentity { key: "other".into(), ..job() });
    let attempt = run(other.begin(Restore::Path(format!("{}/sales/chk-2", M::ROOT)))).unwrap();
    assert_eq!((attempt.restored.unwrap().id, attempt.next_checkpoint), (2, 3));
    let attempt = run(other.begin(Restore::Latest)).unwrap();
    assert_eq!(attempt.restored.unwrap().id, 2);
    run(attempt.writer.write(snapshot(3))).unwrap();
    let restored = run(other.begin(Restore::Latest)).unwrap().restored.unwrap();
    assert_eq!(restored.path, format!("{}/other/chk-3", M::ROOT));
}

fn a_directory_removed_while_running_is_made_again<M: Machine>() {
    let machine = M::default();
    gone_and_back(&machine.store(), || machine.remove_all());
}

#[test]
fn so_is_one_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let store = CheckpointStore::new(&path, &S3Options::default(), job(), 3).unwrap();
    gone_and_back(&store, || std::fs::remove_dir_all(dir.path().join("sales")).unwrap());
}

fn gone_and_back(store: &CheckpointStore, remove: impl FnOnce()) {
    let attempt = run(store.begin(Restore::Fresh)).unwrap();
    run(attempt.writer.write(snapshot(1))).unwrap();
    remove();
    run(attempt.writer.write(snapshot(2))).unwrap();
    assert_eq!(run(store.begin(Restore::Latest)).unwrap().restored.unwrap().id, 2);
}

/// Whatever is done to one file of the newest checkpoint, either it is found out or nothing was changed.
fn damage_never_goes_unnoticed<M: Machine>() {
    let damages = (0_usize..2, 0_usize..4096, 0_u8..3, 0_u8..8);
    proptest!(ProptestConfig::with_cases(300), |((file, position, kind, bit) in damages)| {
        let machine = three_checkpoints::<M>();
        let name = ["state-1.bin", "MANIFEST.json"][file];
        machine.damage(&format!("sales/chk-3/{name}"), |content| {
            let position = position % content.len();
            match kind {
                0 => content[position] ^= 1 << bit,
                1 => content.truncate(position),
                _ => content.insert(position, bit),
            }
        });
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        let restored = attempt.restored.unwrap();
        prop_assert_eq!(restored.id, 2);
        prop_assert_eq!(restored.states, states(2));
        prop_assert_eq!(attempt.skipped.len(), 1);
    });
}

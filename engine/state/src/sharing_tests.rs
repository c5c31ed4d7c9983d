//! Checkpoints that build on each other, against crashes, failures, damage and rivals: whatever
//! happens, each checkpoint that is kept gives back what the job had at it.

use std::collections::{BTreeMap, HashSet};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::CheckpointId;

use crate::machine::{Machine, on_both, run};
use crate::packing::writer_of;
use crate::store::open_on;
use crate::tests::snapshot;
use crate::{Attempt, Checkpoint, Part, Restore, Snapshot, SnapshotKind, TaskState};

on_both! {
    every_kept_checkpoint_is_what_the_job_had_whatever_dies_when
    a_crash_at_any_step_of_a_checkpoint_costs_that_checkpoint_only
    files_go_with_the_last_checkpoint_that_refers_to_them
    nothing_builds_on_files_that_somebody_removed
    changes_since_another_checkpoint_are_refused
    a_damaged_base_makes_all_that_build_on_it_unreadable
    savepoints_and_checkpoints_of_whole_states_share_nothing
}

/// The state of a subtask: numbers by key.
type Table = BTreeMap<u8, u32>;
/// States of a job by subtask.
type Tables = [Table; 3];

const STATE: &str = "sum";

fn set(table: &Table, keys: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let line = |key: u8| match table.get(&key) {
        Some(value) => format!("+{key}={value}\n"),
        None => format!("-{key}\n"),
    };
    keys.into_iter().map(line).collect::<String>().into_bytes()
}

/// What parts of a state say, one after another.
fn read(checkpoint: &Checkpoint) -> Tables {
    let mut tables = Tables::default();
    for state in checkpoint.states.iter().filter(|state| state.id == STATE) {
        let bytes = state.content.load().unwrap();
        for line in std::str::from_utf8(&bytes).unwrap().lines() {
            match (line.strip_prefix('-'), line.strip_prefix('+').and_then(|line| line.split_once('='))) {
                (Some(key), _) => tables[state.subtask].remove(&key.parse().unwrap()),
                (_, Some((key, value))) => tables[state.subtask].insert(key.parse().unwrap(), value.parse().unwrap()),
                _ => panic!("{line}"),
            };
        }
    }
    tables
}

/// A job whose subtasks hand out what has changed.
#[derive(Debug, Default)]
struct Model {
    tables: Tables,
    /// Since the last time that the subtask handed out anything.
    touched: [HashSet<u8>; 3],
    /// The checkpoint for which it did so.
    taken: [Option<CheckpointId>; 3],
    /// What it had at each checkpoint, durable or not.
    history: BTreeMap<CheckpointId, Tables>,
}

impl Model {
    fn change(&mut self, random: &mut StdRng) {
        for _ in 0..random.random_range(0..6) {
            let (subtask, key) = (random.random_range(0..3), random.random_range(0..20));
            if random.random_ratio(1, 3) {
                self.tables[subtask].remove(&key);
            } else {
                self.tables[subtask].insert(key, random.random());
            }
            self.touched[subtask].insert(key);
        }
    }

    /// What the job hands in at a barrier, changes where they may be.
    fn snapshot(&mut self, id: CheckpointId, since: Option<CheckpointId>, random: &mut StdRng) -> Snapshot {
        let mut states = snapshot(id).states;
        for subtask in 0..3 {
            let touched = std::mem::take(&mut self.touched[subtask]);
            let table = &self.tables[subtask];
            let (part, bytes) = match since.filter(|since| self.taken[subtask] == Some(*since)) {
                Some(since) if random.random_ratio(4, 5) => (Part::Delta { since }, set(table, touched)),
                _ if table.is_empty() => (Part::Whole, Vec::new()),
                _ => (Part::Base, set(table, table.keys().copied())),
            };
            self.taken[subtask] = (part != Part::Whole).then_some(id);
            states.push(TaskState { id: STATE.into(), subtask, part, content: bytes.into() });
        }
        self.history.insert(id, self.tables.clone());
        Snapshot { states, ..snapshot(id) }
    }

    fn restore(&mut self, checkpoint: Option<&Checkpoint>) {
        self.tables = checkpoint.map(read).unwrap_or_default();
        (self.touched, self.taken) = Default::default();
    }
}

/// Takes a checkpoint; whether it is durable for certain.
fn checkpoint(attempt: &Attempt, id: CheckpointId, model: &mut Model, random: &mut StdRng) -> bool {
    let Ok(since) = run(attempt.writer.reserve(id)) else { return false };
    let snapshot = model.snapshot(id, since, random);
    run(attempt.writer.write(snapshot)).is_ok()
}

/// All complete checkpoints of the machine, and the shared files.
fn kept<M: Machine>(machine: &M) -> (BTreeMap<CheckpointId, Checkpoint>, Vec<String>) {
    let files = machine.files();
    let ids = files.iter().filter_map(|file| {
        file.strip_prefix("sales/chk-")?.strip_suffix("/MANIFEST.json")?.parse::<CheckpointId>().ok()
    });
    let open = |id: CheckpointId| {
        let (storages, path) = (machine.storages(), format!("{}/sales/chk-{id}", M::ROOT));
        let opened = run(async { tokio::task::spawn_blocking(move || open_on(&storages, &path)).await.unwrap() });
        (id, opened.unwrap_or_else(|error| panic!("checkpoint {id} is kept: {error}")))
    };
    let checkpoints = ids.map(open).collect();
    let shared = files.iter().filter_map(|file| file.strip_prefix("sales/shared/"));
    let shared = shared.filter(|name| writer_of(name).is_some()).map(str::to_owned);
    (checkpoints, shared.collect())
}

fn every_kept_checkpoint_is_what_the_job_had_whatever_dies_when<M: Machine>() {
    for seed in 0..150 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut machine, mut model) = (M::default(), Model::default());
        let mut durable = None;
        for _ in 0..random.random_range(1..6) {
            let fate = M::FATES[random.random_range(0..M::FATES.len())];
            machine.die_at(random.random_range(0..400), fate);
            work(&machine, &mut model, &mut durable, &mut random);
            machine = machine.after_crash(fate);
            let (checkpoints, _) = kept(&machine);
            for (id, checkpoint) in &checkpoints {
                assert_eq!(read(checkpoint), model.history[id], "seed {seed}, checkpoint {id}");
            }
            let newest = run(machine.store().latest_valid()).unwrap().0.map(|newest| newest.id);
            assert!(newest >= durable, "seed {seed}: {newest:?} after {durable:?}");
        }
    }
}

/// Runs the job until it ends, or dies.
fn work<M: Machine>(machine: &M, model: &mut Model, durable: &mut Option<CheckpointId>, random: &mut StdRng) {
    let Ok(attempt) = run(machine.store().begin(Restore::Latest)) else { return };
    model.restore(attempt.restored.as_ref());
    for id in attempt.next_checkpoint..attempt.next_checkpoint + 12 {
        model.change(random);
        if random.random_ratio(1, 8) {
            // One that is given up on its way: the subtasks have handed out what nobody stores.
            let since = run(attempt.writer.reserve(id)).ok().flatten();
            model.snapshot(id, since, random);
            continue;
        }
        if checkpoint(&attempt, id, model, random) {
            *durable = Some(id);
        }
        if random.random() {
            run(attempt.writer.clean()).ok();
        }
    }
}

fn a_crash_at_any_step_of_a_checkpoint_costs_that_checkpoint_only<M: Machine>() {
    for fate in M::FATES.iter().copied() {
        for step in 0.. {
            let mut random = StdRng::seed_from_u64(1);
            let (machine, mut model) = (M::default(), Model::default());
            let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
            for id in 1..=3 {
                model.change(&mut random);
                model.tables[0].insert(99, 0);
                assert!(checkpoint(&attempt, id, &mut model, &mut random));
            }
            machine.die_at(step, fate);
            model.change(&mut random);
            let is_done = checkpoint(&attempt, 4, &mut model, &mut random) && run(attempt.writer.clean()).is_ok();
            let machine = machine.after_crash(fate);
            let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
            let restored = attempt.restored.unwrap();
            assert!(restored.id >= 3, "{fate:?}, step {step}");
            assert_eq!(read(&restored), model.history[&restored.id], "{fate:?}, step {step}");
            assert_eq!(attempt.skipped, [], "{fate:?}, step {step}");
            if is_done {
                break;
            }
        }
    }
}

fn files_go_with_the_last_checkpoint_that_refers_to_them<M: Machine>() {
    let (machine, mut random, mut model) = (M::default(), StdRng::seed_from_u64(7), Model::default());
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    for id in 1..60 {
        model.change(&mut random);
        checkpoint(&attempt, id, &mut model, &mut random);
        run(attempt.writer.clean()).unwrap();
        let (checkpoints, shared) = kept(&machine);
        assert_eq!(checkpoints.len(), id.min(3) as usize);
        let parts =
            |checkpoint: &Checkpoint| checkpoint.states.iter().filter(|state| state.part != Part::Whole).count();
        let referred: usize = checkpoints.values().map(parts).sum();
        assert!(shared.len() <= referred, "{} files for {referred} parts", shared.len());
        let oldest_kept = *checkpoints.keys().next().unwrap();
        let behind = shared.iter().filter(|name| writer_of(name).unwrap() < oldest_kept).count();
        assert!(behind <= parts(&checkpoints[&oldest_kept]) || id < 3, "{shared:?}");
    }
    // A run in which every state is written anew leaves nothing of the ones before.
    let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
    for id in attempt.next_checkpoint..attempt.next_checkpoint + 3 {
        model.taken = Default::default();
        checkpoint(&attempt, id, &mut model, &mut random);
        run(attempt.writer.clean()).unwrap();
    }
    let (_, shared) = kept(&machine);
    assert!(shared.iter().all(|name| writer_of(name) >= Some(attempt.next_checkpoint)), "{shared:?}");
    assert!(!shared.is_empty());
}

/// Two checkpoints, of which the second builds on the first.
fn two<M: Machine>() -> (M, Attempt) {
    let machine = M::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    write(&attempt, 1, Part::Base, b"+1=1\n").unwrap();
    write(&attempt, 2, Part::Delta { since: 1 }, b"+2=2\n").unwrap();
    (machine, attempt)
}

fn write(attempt: &Attempt, id: CheckpointId, part: Part, bytes: &[u8]) -> sluice_model::Result<u64> {
    let state = TaskState { id: STATE.into(), subtask: 0, part, content: bytes.to_vec().into() };
    run(attempt.writer.write(Snapshot { states: vec![state], ..snapshot(id) })).map(|published| published.full_size)
}

fn nothing_builds_on_files_that_somebody_removed<M: Machine>() {
    let (machine, attempt) = two::<M>();
    assert_eq!(run(attempt.writer.reserve(3)).unwrap(), Some(2));
    machine.remove_all();
    assert_eq!(run(attempt.writer.reserve(4)).unwrap(), None);
    write(&attempt, 4, Part::Base, b"+7=7\n").unwrap();
    assert_eq!(run(attempt.writer.reserve(5)).unwrap(), Some(4));
    assert_eq!(read(&kept(&machine).0[&4])[0], Table::from([(7, 7)]));
}

fn changes_since_another_checkpoint_are_refused<M: Machine>() {
    let (_, attempt) = two::<M>();
    let error = write(&attempt, 3, Part::Delta { since: 1 }, b"+3=3\n").unwrap_err();
    assert_eq!(error.what(), "state 'sum' of subtask 0 builds on checkpoint 1, which does not have it");
    write(&attempt, 4, Part::Delta { since: 2 }, b"").unwrap();
}

fn a_damaged_base_makes_all_that_build_on_it_unreadable<M: Machine>() {
    let (machine, attempt) = two::<M>();
    write(&attempt, 3, Part::Base, b"+3=3\n").unwrap();
    write(&attempt, 4, Part::Delta { since: 3 }, b"-3\n").unwrap();
    machine.damage("sales/shared/3-1-0.bin", |content| content[1] ^= 1);
    let error = run(attempt.writer.clean()).unwrap_err();
    assert!(error.what().contains("chk-4' is damaged, older ones are kept"), "{error}");
    let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
    let restored = attempt.restored.unwrap();
    assert_eq!((restored.id, read(&restored)[0].clone()), (2, Table::from([(1, 1), (2, 2)])));
    assert_eq!(attempt.skipped[0].why, "file '3-1-0.bin' is damaged: its checksum does not match");
}

fn savepoints_and_checkpoints_of_whole_states_share_nothing<M: Machine>() {
    let (machine, attempt) = (M::default(), |machine: &M| run(machine.store().begin(Restore::Fresh)).unwrap());
    let attempt = attempt(&machine);
    let full = write(&attempt, 1, Part::Whole, b"+1=1\n").unwrap();
    assert!(full > 5);
    assert_eq!(kept(&machine).1, Vec::<String>::new());
    let base = TaskState { id: STATE.into(), subtask: 0, part: Part::Base, content: b"+1=1\n".to_vec().into() };
    let savepoint = Snapshot { kind: SnapshotKind::Savepoint, states: vec![base], ..snapshot(2) };
    let storages = machine.storages();
    let dir = format!("{}/savepoints", M::ROOT);
    let write = move || crate::store::write_savepoint_on(&storages, &dir, &crate::machine::job(), 1, &savepoint);
    run(async { tokio::task::spawn_blocking(write).await.unwrap() }).unwrap();
    assert!(
        machine.files().iter().any(|file| file.starts_with("savepoints/savepoint-") && file.ends_with("state-1.bin"))
    );
    assert!(!machine.files().iter().any(|file| file.contains("shared")));
}

//! States that are larger than what is held in memory of them.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_model::{CheckpointId, Error, Result};

use crate::location::Place;
use crate::machine::{Machine, job, load, on_both, run};
use crate::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, StateEntry};
use crate::store::open_on;
use crate::tests::{snapshot, states};
use crate::{Content, Encode, Part, Restore, Snapshot, SnapshotKind, TaskState};

on_both! {
    states_come_back_that_are_made_as_they_are_written
    a_crash_at_any_step_costs_that_checkpoint_only
    a_state_that_cannot_be_encoded_leaves_nothing
    a_state_that_is_not_encoded_in_time_leaves_nothing
    what_changes_between_verifying_and_restoring_is_found
    one_large_file_of_many_states_can_be_read
}

const MIB: usize = 1 << 20;

/// Bytes that tell their place, in parts of 3 MiB, of which one may fail.
#[derive(Debug)]
struct Made {
    seed: u64,
    length: usize,
    fails_at: Option<usize>,
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(seed | 1) >> 7) as u8).collect()
}

impl Encode for Made {
    fn parts(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + '_> {
        let all = bytes(self.seed, self.length);
        let part = move |number: usize| match self.fails_at {
            Some(at) if at == number => Err(Error::bug("rows that do not fit")),
            _ => Ok(all[number * 3 * MIB..((number + 1) * 3 * MIB).min(all.len())].to_vec()),
        };
        Box::new((0..self.length.div_ceil(3 * MIB)).map(part))
    }

    fn expected(&self) -> u64 {
        self.length as u64 / 2
    }
}

fn made(id: &str, part: Part, seed: u64, length: usize) -> TaskState {
    let content = Content::encoded(Arc::new(Made { seed, length, fails_at: None }));
    TaskState { id: id.into(), subtask: 0, part, content }
}

fn with(id: CheckpointId, more: Vec<TaskState>) -> Snapshot {
    Snapshot { states: [states(id), more].concat(), ..snapshot(id) }
}

fn states_come_back_that_are_made_as_they_are_written<M: Machine>() {
    let machine = M::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    let large = vec![made("join", Part::Whole, 3, 20 * MIB), made("sum", Part::Base, 5, 9 * MIB)];
    let published = run(attempt.writer.write(with(1, large))).unwrap();
    assert!(published.size > 29 << 20);
    let mut files: Vec<_> = machine.files().into_iter().filter(|file| file.ends_with(".bin")).collect();
    files.sort();
    assert_eq!(files, ["sales/chk-1/state-1-2.bin", "sales/chk-1/state-1.bin", "sales/shared/1-1-3.bin"]);
    let restored = run(machine.store().begin(Restore::Latest)).unwrap().restored.unwrap();
    assert_eq!(restored.states[..3], states(1));
    assert!(load(&restored.states[3].content) == bytes(3, 20 * MIB));
    assert!(load(&restored.states[4].content) == bytes(5, 9 * MIB));
    run(attempt.writer.clean()).unwrap();
}

fn a_crash_at_any_step_costs_that_checkpoint_only<M: Machine>() {
    for (step, fate) in (0..200).flat_map(|step| M::FATES.iter().map(move |fate| (step, *fate))) {
        let machine = M::default();
        let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
        run(attempt.writer.write(with(1, vec![made("sum", Part::Base, 5, 2 * MIB)]))).unwrap();
        machine.die_at(step, fate);
        let large = vec![made("sum", Part::Delta { since: 1 }, 7, 2 * MIB), made("join", Part::Whole, 3, 10 * MIB)];
        let is_done = run(attempt.writer.write(with(2, large))).is_ok();
        let machine = machine.after_crash(fate);
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.skipped, [], "{fate:?}, step {step}");
        let restored = attempt.restored.unwrap();
        assert!(restored.id == 2 || !is_done, "{fate:?}, step {step}");
        let of = |id: &str| restored.states.iter().filter(|state| state.id == id).collect::<Vec<_>>();
        assert!(load(&of("sum")[0].content) == bytes(5, 2 * MIB));
        if restored.id == 2 {
            assert!(load(&of("sum")[1].content) == bytes(7, 2 * MIB));
            assert!(load(&of("join")[0].content) == bytes(3, 10 * MIB));
        }
        // It goes on, and cleans up what the other has left.
        for id in attempt.next_checkpoint..attempt.next_checkpoint + 4 {
            run(attempt.writer.write(snapshot(id))).unwrap();
        }
        run(attempt.writer.clean()).unwrap();
        let left = machine.files().into_iter().filter(|file| file.contains("shared/") || file.contains("chk-2/"));
        assert_eq!(left.filter(|file| file.ends_with(".bin")).collect::<Vec<_>>(), [""; 0], "{fate:?}, step {step}");
        if is_done && fate == *M::FATES.last().unwrap() {
            assert!(step > 15, "only {step} steps were tried");
            return;
        }
    }
    panic!("a checkpoint has more than 200 steps");
}

fn a_state_that_cannot_be_encoded_leaves_nothing<M: Machine>() {
    let machine = M::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    let broken = Content::encoded(Arc::new(Made { seed: 1, length: 20 * MIB, fails_at: Some(5) }));
    let broken = TaskState { content: broken, ..made("join", Part::Base, 1, 0) };
    let large = vec![made("sum", Part::Base, 5, 9 * MIB), broken];
    let error = run(attempt.writer.write(with(1, large))).unwrap_err();
    assert_eq!(error.what(), "rows that do not fit");
    assert!(!machine.files().iter().any(|file| file.ends_with(".bin")), "{:?}", machine.files());
    run(attempt.writer.write(snapshot(2))).unwrap();
    assert_eq!(run(machine.store().begin(Restore::Latest)).unwrap().restored.unwrap().id, 2);
}

fn a_state_that_is_not_encoded_in_time_leaves_nothing<M: Machine>() {
    let machine = M::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    let until = |deadline| {
        let state = made("join", Part::Whole, 3, 20 * MIB);
        TaskState { content: state.content.clone().until(deadline, Error::retry("too late")), ..state }
    };
    let now = Instant::now();
    let error = run(attempt.writer.write(with(1, vec![until(now)]))).unwrap_err();
    assert_eq!(error.what(), "too late");
    assert!(!machine.files().iter().any(|file| file.ends_with(".bin")), "{:?}", machine.files());
    run(attempt.writer.write(with(2, vec![until(now + Duration::from_secs(600))]))).unwrap();
    let restored = run(machine.store().begin(Restore::Latest)).unwrap().restored.unwrap();
    assert!(load(&restored.states[3].content) == bytes(3, 20 * MIB));
}

fn what_changes_between_verifying_and_restoring_is_found<M: Machine>() {
    let machine = M::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    run(attempt.writer.write(with(1, vec![made("join", Part::Whole, 3, 40 * MIB)]))).unwrap();
    let restored = run(machine.store().begin(Restore::Latest)).unwrap().restored.unwrap();
    machine.damage("sales/chk-1/state-1-2.bin", |content| content[39 * MIB] ^= 1);
    let content = restored.states[3].content.clone();
    let read = move || {
        let mut all = Vec::new();
        let error = content.reader().read_to_end(&mut all).unwrap_err();
        (all.len(), error.to_string(), content.load().unwrap_err())
    };
    let (length, why, error) = run(async { tokio::task::spawn_blocking(read).await.unwrap() });
    assert!(length < 40 * MIB && why == "it has changed since it was verified", "{length}: {why}");
    assert!(error.what().starts_with("cannot read '"), "{error}");
}

/// What versions wrote that put all states into one file.
fn one_large_file_of_many_states_can_be_read<M: Machine>() {
    let machine = M::default();
    let all = bytes(9, 40 * MIB);
    let entry = |id: &str, offset: usize, length: usize| StateEntry {
        id: id.into(),
        subtask: 0,
        part: Part::Whole,
        file: 0,
        offset: offset as u64,
        length: length as u64,
    };
    let file =
        FileEntry { name: "state-1.bin".into(), length: all.len() as u64, crc32c: crc32c::crc32c(&all), shared: false };
    let manifest = Manifest {
        format: FORMAT,
        engine: "0.1.0".into(),
        checkpoint: 1,
        kind: SnapshotKind::Checkpoint,
        epoch: 1,
        timestamp: 5,
        job: job(),
        files: vec![file],
        states: vec![entry("a", 0, 7), entry("b", 7, 15 * MIB), entry("none", 0, 0), entry("c", 15 * MIB + 7, 99)],
    };
    let Place { storage, path } = machine.storages().place(&format!("{}/sales/chk-1", M::ROOT)).unwrap();
    let (storages, dir, content) = (machine.storages(), path.display().to_string(), all.clone());
    let read = move || {
        storage.create_dir_all(&path).unwrap();
        storage.write_new(&path.join("state-1.bin"), &content).unwrap();
        storage.write_new(&path.join(MANIFEST), &manifest.encode().unwrap()).unwrap();
        open_on(&storages, &dir).unwrap()
    };
    let checkpoint = run(async { tokio::task::spawn_blocking(read).await.unwrap() });
    let found: Vec<Vec<u8>> = checkpoint.states.iter().map(|state| load(&state.content)).collect();
    let expected = [&all[..7], &all[7..15 * MIB + 7], &[], &all[15 * MIB + 7..15 * MIB + 106]];
    assert!(found == expected);
}

//! What only object stores do.

use crate::crash_store::{Conditions, LastRequest};
use crate::machine::{BucketMachine, Machine, load, run};
use crate::tests::{Told, snapshot, states, work};
use crate::{Part, Restore, Snapshot, TaskState};
use sluice_model::Reaction;

#[test]
fn a_write_that_is_sent_twice_counts_once() {
    let mut write = 0;
    loop {
        let machine = BucketMachine::default();
        machine.0.repeat_at(write);
        let mut told = Told::default();
        run(work(&machine.store(), 4, &mut told)).unwrap();
        let is_over = machine.0.conditional_writes() <= write;
        let attempt = run(machine.store().begin(Restore::Latest)).unwrap();
        assert_eq!(attempt.restored.unwrap().id, 4, "write {write}");
        assert_eq!(attempt.skipped, []);
        if is_over {
            break;
        }
        write += 1;
    }
    assert!(write > 12, "only {write} writes were tried");
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let machine = BucketMachine::default();
    machine.0.set_conditions(Conditions::Ignored);
    let error = run(machine.store().begin(Restore::Fresh)).unwrap_err();
    assert_eq!(error.reaction(), Reaction::Fix);
    assert_eq!(
        error.what(),
        "'s3://bucket/state/sales' cannot hold checkpoints: its store overwrites objects that are to be new"
    );
    assert_eq!(machine.files(), [""; 0]);
}

#[test]
fn so_is_one_that_does_not_know_them() {
    let machine = BucketMachine::default();
    machine.0.set_conditions(Conditions::Refused);
    let error = run(machine.store().begin(Restore::Fresh)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write to 's3://bucket/state/sales'\n  because: NotImplemented: A header is not implemented\n  \
         hint: memory does not know conditional writes ('If-None-Match'); use a store that does"
    );
}

#[test]
fn a_reserved_number_stays_taken_although_nothing_was_written() {
    let machine = BucketMachine::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    run(attempt.writer.reserve(7)).unwrap();
    assert_eq!(run(machine.store().begin(Restore::Latest)).unwrap().next_checkpoint, 8);
}

#[test]
fn large_states_go_and_come_in_parts() {
    let machine = BucketMachine::default();
    let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
    let bytes: Vec<u8> = (0..40_u32 << 20).map(|index| (index ^ (index >> 11)) as u8).collect();
    let state = TaskState { id: "join".into(), subtask: 0, part: Part::Whole, content: bytes.clone().into() };
    run(attempt.writer.write(Snapshot { states: vec![state.clone()], ..snapshot(1) })).unwrap();
    let restored = run(machine.store().begin(Restore::Latest)).unwrap().restored.unwrap();
    assert!(load(&restored.states[0].content) == bytes);
}

/// The answer to one request is lost and the process goes on, as far as to clean up behind itself: a
/// checkpoint that is there all the same must still have its files.
#[test]
fn a_checkpoint_whose_last_answer_was_lost_keeps_its_files() {
    let mut surprises = 0;
    for request in 0..20 {
        let machine = BucketMachine::default();
        let attempt = run(machine.store().begin(Restore::Fresh)).unwrap();
        machine.0.fail_at(request, LastRequest::Unanswered);
        let written = run(attempt.writer.write(snapshot(1)));
        let next = run(machine.after_crash(LastRequest::Unanswered).store().begin(Restore::Latest)).unwrap();
        assert_eq!(next.skipped, [], "request {request}");
        match next.restored {
            Some(restored) => assert_eq!(restored.states, states(1)),
            None => assert!(written.is_err(), "request {request}"),
        }
        surprises += u32::from(written.is_err() && machine.files().iter().any(|file| file.ends_with("MANIFEST.json")));
    }
    // The manifest itself, and the look at the epochs behind it.
    assert_eq!(surprises, 2);
}

/// A checkpoint that could not be read just now is not a damaged one: going on from an older one
/// would undo what sinks have committed.
#[test]
fn a_failed_request_does_not_make_an_older_checkpoint_do() {
    let mut failures = 0;
    for request in 0.. {
        let machine = BucketMachine::default();
        run(work(&machine.store(), 3, &mut Told::default())).unwrap();
        machine.0.fail_at(request, LastRequest::Lost);
        match run(machine.store().begin(Restore::Latest)) {
            Ok(attempt) => {
                assert_eq!((attempt.restored.unwrap().id, attempt.skipped.len()), (3, 0), "request {request}");
                if machine.0.requests() <= request {
                    break;
                }
            }
            Err(error) => {
                failures += 1;
                assert_eq!(error.reaction(), Reaction::Retry, "request {request}: {error}");
            }
        }
    }
    assert!(failures > 15, "only {failures} requests failed");
}

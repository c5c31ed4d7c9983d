//! State of a gigabyte, with and without a budget.
//!
//! ```text
//! SLUICE_BUDGET=256 cargo test --release -p sluice-runtime --lib -- --ignored --nocapture a_gigabyte
//! ```
//!
//! `SLUICE_BUDGET` is in MiB, none without it; `SLUICE_CHECKPOINT` seconds are between two checkpoints,
//! which are written to a directory. With checkpoints the state is restored from one in the end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{Barrier, BarrierKind, ChangelogBatch, ChangelogMode, MetricGroup};
use sluice_plan::{AggregateCall, Distribution, GroupAggregate, Input, Node, NodeId, Operation, Output};

use sluice_state::{Attempt, CheckpointStore, JobIdentity, Restore, S3Options, Snapshot, SnapshotKind};

use super::{Memory, MemoryBudget, Running};
use crate::operator_state::{self, OperatorSnapshot, Saved, Share};

const KEYS: u64 = 1_200_000;
const ROWS: usize = 2_400_000;
const WIDTH: usize = 1000;
const BATCH: usize = 4096;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true), Field::new("v", DataType::Utf8, true)]))
}

/// `SELECT k, MAX(v) FROM t GROUP BY k`.
fn node() -> Node {
    let call = AggregateCall {
        function: "max".to_owned(),
        arguments: vec![1],
        literals: vec![],
        distinct: false,
        filter: None,
        result: Arc::new(Field::new("v", DataType::Utf8, true)),
    };
    let node = GroupAggregate {
        group: vec![0],
        calls: vec![call],
        retracts: false,
        update_before: false,
        window_end: None,
        row_count: None,
    };
    Node {
        operation: Operation::GroupAggregate(node),
        inputs: vec![Input { node: NodeId(0), port: 0, distribution: Distribution::Single }],
        outputs: vec![Output { schema: schema(), changelog: ChangelogMode::UPSERT, keys: vec![vec![0]] }],
        parallelism: 1,
        state_id: "max".to_owned(),
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Rows with keys and texts at random: texts of letters, which do not compress well.
fn rows(state: &mut u64) -> ChangelogBatch {
    let keys = Int64Array::from_iter_values((0..BATCH).map(|_| (random(state) % KEYS) as i64));
    let mut text = vec![0; BATCH * WIDTH];
    for bytes in text.chunks_mut(8) {
        let number = random(state).to_le_bytes();
        bytes.iter_mut().zip(number).for_each(|(byte, random)| *byte = b'0' + random % 64);
    }
    let texts = StringArray::try_new(OffsetBuffer::from_lengths([WIDTH; BATCH]), Buffer::from_vec(text), None).unwrap();
    ChangelogBatch::append(RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(texts)]).unwrap())
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The peak of the process from now on is what is asked for next.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn start(memory: Option<&Memory>) -> Running {
    Running::new(&node(), vec![schema()], vec![None], None, memory).unwrap().unwrap().0
}

/// Checkpoints in a directory.
struct Checkpoints {
    runtime: tokio::runtime::Runtime,
    store: CheckpointStore,
    attempt: Attempt,
    saved: Saved,
    newest: Option<u64>,
}

impl Checkpoints {
    fn new(directory: &std::path::Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let job = JobIdentity { id: "a1".into(), name: "max".into(), key: "max".into() };
        let store = CheckpointStore::new(&directory.display().to_string(), &S3Options::default(), job, 1).unwrap();
        let attempt = runtime.block_on(store.begin(Restore::Fresh)).unwrap();
        Self { runtime, store, attempt, saved: Saved::default(), newest: None }
    }

    fn take(&mut self, running: &mut Running) {
        let start = Instant::now();
        let checkpoint = self.newest.unwrap_or(0) + 1;
        let barrier = Barrier { checkpoint, kind: BarrierKind::Checkpoint, since: self.newest };
        let state = OperatorSnapshot::take(running, barrier, &mut self.saved, "max", 0).unwrap().unwrap();
        let states = vec![state.encode().unwrap()];
        let snapshot = Snapshot { checkpoint, kind: SnapshotKind::Checkpoint, timestamp: 0, states };
        let Attempt { writer, .. } = &self.attempt;
        let published = self.runtime.block_on(async {
            writer.reserve(checkpoint).await.unwrap();
            let published = writer.write(snapshot).await.unwrap();
            writer.clean().await.unwrap();
            published
        });
        self.newest = Some(checkpoint);
        let (size, seconds) = (published.size >> 20, start.elapsed().as_secs_f64());
        println!("checkpoint {checkpoint}: {size} MiB in {seconds:.1} s");
    }

    fn restore(&self, running: &mut Running) {
        let restored = self.runtime.block_on(self.store.begin(Restore::Latest)).unwrap().restored.unwrap();
        operator_state::restore(&mut **running, &restored.states, Share { subtask: 0, parallelism: 1 }).unwrap();
    }
}

#[test]
#[ignore = "takes a gigabyte of memory, or of disk"]
fn a_gigabyte_of_state_within_a_budget() {
    let interval = setting("SLUICE_CHECKPOINT").map(Duration::from_secs);
    let metrics = MetricGroup::default();
    let memory = setting("SLUICE_BUDGET").map(|mebibytes| Memory {
        budget: Arc::new(MemoryBudget::new(mebibytes << 20, vec![])),
        metrics: metrics.clone(),
        is_incremental: true,
    });
    let mut running = start(memory.as_ref());
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(directory.path());
    let (mut state, mut put_out) = (7, 0);
    let begin = Instant::now();
    let mut last = begin;
    let mut output = |rows: ChangelogBatch| {
        put_out += rows.num_rows();
        Ok(())
    };
    for batch in 0..ROWS.div_ceil(BATCH) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        running.on_processing_time(now, &mut output).unwrap();
        running.on_batch(0, rows(&mut state), &mut output).unwrap();
        if interval.is_some_and(|interval| last.elapsed() >= interval) {
            work_off(&mut running, &mut output);
            checkpoints.take(&mut running);
            last = Instant::now();
        }
        if batch % 100 == 99 {
            let (state, memory) = (running.state_bytes() >> 20, status("VmRSS"));
            println!(
                "{:>6.1} s, batch {batch}: state {state} MiB, process {memory} MiB",
                begin.elapsed().as_secs_f64()
            );
        }
    }
    work_off(&mut running, &mut output);
    let (seconds, peak) = (begin.elapsed().as_secs_f64(), status("VmHWM"));
    let spilled = metrics.counter("state_spilled_bytes").get() >> 20;
    println!("{seconds:.1} s for {put_out} of {ROWS} rows, peak of the process {peak} MiB, {spilled} MiB written");
    if interval.is_some() {
        checkpoints.take(&mut running);
        println!("peak with the last checkpoint {} MiB", status("VmHWM"));
        drop(running);
        forget_peak();
        let (mut running, begin) = (start(memory.as_ref()), Instant::now());
        checkpoints.restore(&mut running);
        let (seconds, peak) = (begin.elapsed().as_secs_f64(), status("VmHWM"));
        println!("restored in {seconds:.1} s, peak of the process {peak} MiB");
    }
}

fn work_off(running: &mut Running, output: sluice_operators::Output<'_>) {
    if let Running::Spilling(spilling) = running {
        while spilling.work_off(output).unwrap() {}
    }
}

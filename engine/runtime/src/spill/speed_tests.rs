//! State of a gigabyte, with and without a budget.
//!
//! ```text
//! SLUICE_BUDGET=256 cargo test --release -p sluice-runtime --lib -- --ignored --nocapture a_gigabyte
//! ```
//!
//! `SLUICE_BUDGET` is in MiB, none without it; `SLUICE_CHECKPOINT` seconds are between two checkpoints.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{Barrier, BarrierKind, ChangelogBatch, ChangelogMode, MetricGroup};
use sluice_plan::{AggregateCall, Distribution, GroupAggregate, Input, Node, NodeId, Operation, Output};

use super::{Memory, MemoryBudget, Running};
use crate::operator_state::{OperatorSnapshot, Saved};

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

#[test]
#[ignore = "takes a gigabyte of memory, or of disk"]
fn a_gigabyte_of_state_within_a_budget() {
    let budget = setting("SLUICE_BUDGET");
    let interval = setting("SLUICE_CHECKPOINT").map(Duration::from_secs);
    let metrics = MetricGroup::default();
    let memory = budget.map(|mebibytes| Memory {
        budget: Arc::new(MemoryBudget::new(mebibytes << 20, vec![])),
        metrics: metrics.clone(),
        is_incremental: true,
    });
    let (mut running, _) = Running::new(&node(), vec![schema()], vec![None], None, memory.as_ref()).unwrap().unwrap();
    let (mut state, mut put_out, mut saved, mut checkpoints) = (7, 0, Saved::default(), 0);
    let start = Instant::now();
    let mut last = start;
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
            let since = (checkpoints > 0).then_some(checkpoints);
            checkpoints += 1;
            let barrier = Barrier { checkpoint: checkpoints, kind: BarrierKind::Checkpoint, since };
            let snapshot = OperatorSnapshot::take(&mut running, barrier, &mut saved, "max", 0).unwrap().unwrap();
            println!("checkpoint {checkpoints}: {} MiB", snapshot.encode().unwrap().bytes.len() >> 20);
            last = Instant::now();
        }
        if batch % 100 == 99 {
            let (state, memory) = (running.state_bytes() >> 20, status("VmRSS"));
            println!(
                "{:>6.1} s, batch {batch}: state {state} MiB, process {memory} MiB",
                start.elapsed().as_secs_f64()
            );
        }
    }
    work_off(&mut running, &mut output);
    let spilled = metrics.counter("state_spilled_bytes").get() >> 20;
    println!(
        "{:.1} s for {put_out} of {ROWS} rows, peak of the process {} MiB, {spilled} MiB written",
        start.elapsed().as_secs_f64(),
        status("VmHWM")
    );
}

fn work_off(running: &mut Running, output: sluice_operators::Output<'_>) {
    if let Running::Spilling(spilling) = running {
        while spilling.work_off(output).unwrap() {}
    }
}

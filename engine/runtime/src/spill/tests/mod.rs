//! Operators within a budget, beside the same operators without one.

mod changes;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{Barrier, BarrierKind, ChangelogMode, from_pretty, to_pretty};
use sluice_plan::{
    AggregateCall, Distribution, GroupAggregate, Input, Join, JoinKind, NodeId, Normalize, Output as NodeOutput, Rank,
    SortColumn, UpsertMaterialize,
};
use sluice_state::{Part, TaskState};

use self::changes::{COLUMNS, Changes, Materialized, Rows};
use super::*;
use crate::operator_state::{self, OperatorSnapshot, Saved, Share};

fn schema() -> SchemaRef {
    from_pretty(COLUMNS, "").schema()
}

/// What is run, and how its result is to be read.
#[derive(Clone)]
struct Case {
    name: String,
    node: Node,
    ttl: Option<Duration>,
    rows: Rows,
    /// Column that identifies a row of the result, if it comes without old content.
    key: Option<usize>,
}

fn case(name: &str, operation: Operation, output: SchemaRef, rows: Rows, key: Option<usize>) -> Case {
    let inputs = if matches!(operation, Operation::Join(_)) { 2 } else { 1 };
    let input = Input { node: NodeId(0), port: 0, distribution: Distribution::Single };
    let node = Node {
        operation,
        inputs: vec![input; inputs],
        outputs: vec![NodeOutput { schema: output, changelog: ChangelogMode::RETRACT, keys: vec![] }],
        parallelism: 1,
        state_id: name.to_owned(),
    };
    Case { name: name.to_owned(), node, ttl: None, rows, key }
}

fn group_aggregate(functions: &[&str], rows: Rows) -> Case {
    let mut fields = vec![schema().field(0).clone()];
    let calls = functions.iter().map(|function| {
        let (argument, data_type) = match *function {
            "count" => (2, DataType::Int64),
            "listagg" => (3, DataType::Utf8),
            "max_text" => (3, DataType::Utf8),
            _ => (2, DataType::Int32),
        };
        let result = Arc::new(Field::new(*function, data_type, true));
        fields.push(result.as_ref().clone());
        AggregateCall {
            function: function.trim_end_matches("_text").to_owned(),
            arguments: vec![argument],
            literals: vec![],
            distinct: *function == "count",
            filter: None,
            result,
        }
    });
    let calls = calls.collect();
    let retracts = rows != Rows::Appended;
    let node =
        GroupAggregate { group: vec![0], calls, retracts, update_before: true, window_end: None, row_count: None };
    let name = format!("group {functions:?} {rows:?}");
    case(&name, Operation::GroupAggregate(node), Arc::new(Schema::new(fields)), rows, None)
}

fn join(kind: JoinKind, rows: Rows) -> Case {
    let unique = (rows == Rows::Identified).then(|| vec![1]);
    let node = Join {
        kind,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition: None,
        unique_keys: [unique.clone(), unique],
        inserts_only: [rows == Rows::Appended; 2],
        window_ends: None,
    };
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let mut fields: Vec<Field> = schema().fields().iter().map(nullable).collect();
    if kind.keeps_right() {
        fields.extend_from_within(..);
    }
    let output = Arc::new(Schema::new(fields));
    case(&format!("{kind:?} join {rows:?}"), Operation::Join(Box::new(node)), output, rows, None)
}

fn rank(rows: Rows) -> Case {
    let order = |column| SortColumn { column, descending: true, nulls_first: false };
    let node = Rank {
        partition: vec![0],
        // By more than `v` where a key may go and come back: which of equal rows is the older one then hangs
        // on how changes lie in batches, with a budget and without.
        order: vec![order(2), order(1)],
        newest_first: false,
        first: 1,
        last: Some(2),
        rank_column: false,
        retracts: rows != Rows::Appended,
        unique_key: (rows == Rows::Identified).then(|| vec![1]),
        update_before: true,
        window_end: None,
    };
    case(&format!("rank {rows:?}"), Operation::Rank(node), schema(), rows, None)
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        group_aggregate(&["sum", "count", "max_text", "listagg"], Rows::Changing),
        group_aggregate(&["sum", "max_text", "min", "last_value"], Rows::Appended),
        rank(Rows::Appended),
        rank(Rows::Changing),
        rank(Rows::Identified),
        case(
            "normalize",
            Operation::Normalize(Normalize { key: vec![1], update_before: true }),
            schema(),
            Rows::Upserted,
            None,
        ),
    ];
    for rows in [Rows::Changing, Rows::Identified] {
        let unique_key = (rows == Rows::Identified).then(|| vec![1]);
        let node = UpsertMaterialize { key: vec![0], unique_key };
        cases.push(case("materialize", Operation::UpsertMaterialize(node), schema(), rows, Some(0)));
        for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Full, JoinKind::LeftSemi, JoinKind::LeftAnti] {
            cases.push(join(kind, rows));
        }
    }
    cases
}

/// An operator within a budget, its checkpoints, and the same operator without a budget.
struct Run {
    case: Case,
    limit: u64,
    directory: tempfile::TempDir,
    running: Running,
    plain: Running,
    /// Put out by both.
    results: [Materialized; 2],
    saved: Saved,
    states: Vec<TaskState>,
    checkpoint: u64,
    now: i64,
    metrics: MetricGroup,
}

impl Run {
    fn new(case: &Case, limit: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let metrics = MetricGroup::default();
        let running = Self::start(case, Some((limit, directory.path().into(), &metrics)));
        let plain = Self::start(case, None);
        let result = || Materialized { key: case.key, ..Materialized::default() };
        let mut run = Self {
            case: case.clone(),
            limit,
            directory,
            running,
            plain,
            results: [result(), result()],
            saved: Saved::default(),
            states: Vec::new(),
            checkpoint: 0,
            now: 0,
            metrics,
        };
        run.tell_time(0);
        run
    }

    fn start(case: &Case, limit: Option<(u64, PathBuf, &MetricGroup)>) -> Running {
        let memory = limit.map(|(limit, directory, metrics)| Memory {
            budget: Arc::new(MemoryBudget::new(limit, vec![directory])),
            metrics: metrics.clone(),
            is_incremental: true,
        });
        let inputs = vec![schema(); case.node.inputs.len()];
        let ttl = vec![case.ttl; inputs.len()];
        let (running, account) = Running::new(&case.node, inputs, ttl, None, memory.as_ref()).unwrap().unwrap();
        assert!(account.is_none());
        assert_eq!(matches!(running, Running::Spilling(_)), memory.is_some());
        running
    }

    fn both(&mut self, mut act: impl FnMut(&mut Running, Output<'_>)) {
        for (running, result) in [&mut self.running, &mut self.plain].into_iter().zip(&mut self.results) {
            act(running, &mut |batch| {
                result.apply(&batch);
                Ok(())
            });
        }
    }

    fn batch(&mut self, input: usize, batch: &ChangelogBatch) {
        self.both(|running, output| running.on_batch(input, batch.clone(), output).unwrap());
    }

    fn tell_time(&mut self, millis: i64) {
        self.now += millis;
        let now = self.now;
        self.both(|running, output| running.on_processing_time(now, output).unwrap());
    }

    fn partitions(&mut self) -> Option<&mut Partitions> {
        let Running::Spilling(spilling) = &mut self.running else { panic!("has no budget") };
        match &mut spilling.phase {
            Phase::Dealt(partitions) => Some(partitions),
            Phase::Whole(_) => None,
        }
    }

    /// Works off what waits; then both results have to be the same.
    fn catch_up(&mut self) {
        let Running::Spilling(spilling) = &mut self.running else { panic!("has no budget") };
        let result = &mut self.results[0];
        let mut output = |batch: ChangelogBatch| {
            result.apply(&batch);
            Ok(())
        };
        while spilling.work_off(&mut output).unwrap() {}
        assert_eq!(self.results[0].rows, self.results[1].rows, "{}", self.case.name);
    }

    /// A checkpoint, which builds on the one before if that was not lost.
    fn checkpoint(&mut self, is_lost: bool) {
        self.catch_up();
        let since = (self.checkpoint > 0).then_some(self.checkpoint);
        let kind = BarrierKind::Checkpoint;
        let barrier = Barrier { checkpoint: self.checkpoint + if is_lost { 1000 } else { 1 }, kind, since };
        let state = OperatorSnapshot::take(&mut self.running, barrier, &mut self.saved, "state", 0);
        let state = state.unwrap().unwrap().encode().unwrap();
        if !is_lost {
            self.checkpoint = barrier.checkpoint;
            if !matches!(state.part, Part::Delta { .. }) {
                self.states.clear();
            }
            self.states.push(state);
        }
    }

    /// Starts anew from the last checkpoint, which has just been taken; perhaps within another budget.
    fn restart(&mut self, limit: u64) {
        self.limit = limit;
        self.running = Self::start(&self.case, Some((limit, self.directory.path().into(), &self.metrics)));
        self.saved = Saved::default();
        operator_state::restore(&mut *self.running, &self.states, Share { subtask: 0, parallelism: 1 }).unwrap();
        let now = self.now;
        self.running.on_processing_time(now, &mut |batch| panic!("{}", to_pretty(&batch))).unwrap();
    }
}

/// Changes, checkpoints and restarts at random.
fn run_at_random(case: &Case, seed: u64) -> u64 {
    let mut random = StdRng::seed_from_u64(seed);
    let limits = [1, 5_000, 30_000, 100_000, 10_000_000];
    let mut run = Run::new(case, limits[random.random_range(0..limits.len())]);
    let mut changes = Changes::new(seed, case.rows, random.random_range(2..60), 40);
    for _ in 0..random.random_range(5..30) {
        for _ in 0..random.random_range(1..4) {
            let input = random.random_range(0..case.node.inputs.len());
            let batch = changes.batch(input, random.random_range(1..60));
            run.batch(input, &batch);
        }
        match random.random_range(0..10) {
            0..4 => run.tell_time(random.random_range(0..300)),
            4..6 => run.catch_up(),
            choice @ 6..9 => run.checkpoint(choice == 8),
            _ => {
                run.checkpoint(false);
                run.restart(limits[random.random_range(0..limits.len())]);
            }
        }
    }
    run.checkpoint(false);
    let limit = run.limit;
    let spilled = run.metrics.counter("state_spilled_bytes").get();
    run.restart(limit);
    let batch = changes.batch(0, 50);
    run.batch(0, &batch);
    run.catch_up();
    spilled
}

/// Names the case that fails.
struct Seed<'a>(&'a str, u64);

impl Drop for Seed<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} fails with seed {}", self.0, self.1);
        }
    }
}

#[test]
fn results_and_checkpoints_are_those_of_the_operator() {
    for case in cases() {
        let mut spilled = 0;
        for seed in 0..15 {
            let seed = Seed(&case.name, seed);
            spilled += run_at_random(&case, seed.1);
        }
        assert!(spilled > 0, "{} has never spilled", case.name);
    }
}

#[test]
fn memory_stays_within_the_budget_whatever_the_state_grows_to() {
    const LIMIT: u64 = 1 << 20;
    let mut changes = Changes::new(1, Rows::Identified, 4000, 2000);
    let mut run = Run::new(&join(JoinKind::Full, Rows::Identified), LIMIT);
    for step in 0..40 {
        for input in 0..2 {
            let batch = changes.batch(input, 200);
            run.batch(input, &batch);
            run.tell_time(40);
            let memory = run.running.state_bytes() as u64;
            assert!(memory <= LIMIT, "{memory} bytes in step {step}");
        }
        if step % 16 == 15 {
            run.checkpoint(false);
        }
    }
    run.checkpoint(false);
    assert!(run.plain.state_bytes() as u64 > 3 * LIMIT, "{}", run.plain.state_bytes());
    let partitions = run.partitions().unwrap();
    assert!(partitions.all.len() > 64, "none has been split");
    run.restart(LIMIT);
    assert!(run.running.state_bytes() as u64 <= LIMIT);
    let batch = changes.batch(0, 200);
    run.batch(0, &batch);
    run.checkpoint(false);
    let metric = |name: &str| run.metrics.gauge(name).get();
    assert_eq!(metric("state_memory_bytes"), run.running.state_bytes() as i64);
    assert!(metric("state_partitions_resident") > 0 && metric("state_partitions_spilled") > 0);
    let metrics = run.metrics.clone();
    drop(run);
    for name in ["state_memory_bytes", "state_partitions_resident", "state_partitions_spilled"] {
        assert_eq!(metrics.gauge(name).get(), 0, "{name}");
    }
}

/// Rows that are dealt to partitions still lie in the place that they come from.
#[test]
fn what_is_taken_over_does_not_wait_in_memory() {
    const LIMIT: u64 = 1 << 20;
    let case = join(JoinKind::Full, Rows::Identified);
    let mut run = Run::new(&case, LIMIT);
    let mut changes = Changes::new(1, Rows::Identified, 4000, 2000);
    for input in [0, 1].repeat(20) {
        let batch = changes.batch(input, 200);
        run.plain.on_batch(input, batch, &mut |_| Ok(())).unwrap();
    }
    let Running::Spilling(spilling) = &run.running else { panic!("has no budget") };
    let mut partitions = Partitions::new(Arc::clone(&spilling.blueprint), &spilling.tables, &spilling.means).unwrap();
    let (mut rows_of_state, mut most) = (0, 0);
    run.plain
        .snapshot(Scope::All, &mut |table, rows| {
            rows_of_state += rows.num_rows();
            partitions.take_over(table, rows, &spilling.means)?;
            most = most.max(partitions.memory());
            Ok(())
        })
        .unwrap();
    assert!(rows_of_state > 1000 && most > 0, "{rows_of_state} rows");
    assert!(most as u64 <= LIMIT / 4, "{most} bytes");
}

#[test]
fn state_that_fits_is_left_alone() {
    let mut run = Run::new(&rank(Rows::Changing), 1 << 30);
    let mut changes = Changes::new(3, Rows::Changing, 50, 40);
    for _ in 0..20 {
        let batch = changes.batch(0, 50);
        run.batch(0, &batch);
        assert_eq!(run.results[0].rows, run.results[1].rows, "nothing waits");
    }
    assert!(run.running.state_bytes() > 0 && run.partitions().is_none());
    assert_eq!(run.metrics.counter("state_spilled_bytes").get(), 0);
    assert_eq!(run.running.next_timer(), None);
}

#[test]
fn rows_do_not_wait_for_ever() {
    let mut run = Run::new(&rank(Rows::Changing), 100_000);
    let mut changes = Changes::new(4, Rows::Changing, 3000, 100);
    while run.partitions().is_none() {
        let batch = changes.batch(0, 50);
        run.batch(0, &batch);
    }
    let batch = changes.batch(0, 20);
    run.batch(0, &batch);
    assert_ne!(run.results[0].rows, run.results[1].rows, "rows wait");
    let begin = run.now;
    while run.results[0].rows != run.results[1].rows {
        let timer = run.running.next_timer().unwrap();
        assert!(timer > run.now, "a clock that stands still is not asked again");
        let wait = timer - run.now;
        run.tell_time(wait);
    }
    assert!(run.now - begin >= 200, "{}", run.now - begin);
    assert!(run.partitions().unwrap().oldest().is_none());
}

#[test]
fn state_expires_in_memory_and_on_disk() {
    for mut case in cases() {
        if case.rows == Rows::Upserted {
            continue;
        }
        case.ttl = Some(Duration::from_secs(16));
        let mut run = Run::new(&case, 3_000);
        let mut changes = Changes::new(5, case.rows, 100, 40);
        for round in 0..4 {
            for input in 0..case.node.inputs.len() {
                let batch = changes.batch(input, 300);
                run.batch(input, &batch);
            }
            run.catch_up();
            assert!(run.partitions().is_some(), "{} {}", case.name, run.running.state_bytes());
            run.tell_time(100_000);
            if round == 2 {
                run.checkpoint(false);
                run.restart(3_000);
            }
            // What has expired cannot be taken back: that is left out.
            run.results = [0, 1].map(|_| Materialized { key: case.key, ..Materialized::default() });
            changes.live = Default::default();
        }
    }
}

#[test]
fn watermarks_do_not_overtake_rows() {
    let case = case(
        "normalize",
        Operation::Normalize(Normalize { key: vec![1], update_before: true }),
        schema(),
        Rows::Upserted,
        None,
    );
    let mut held = 0;
    for seed in 0..50 {
        let mut random = StdRng::seed_from_u64(seed);
        let limit = [1, 10_000, 50_000][random.random_range(0..3)];
        let mut running = Run::new(&case, limit).running;
        let (mut now, mut next, mut put_out, mut watermark) = (0, 0, 0_i64, -1);
        for _ in 0..100 {
            let mut count = |batch: ChangelogBatch| {
                put_out += batch.num_rows() as i64;
                Ok(())
            };
            let mut passed = None;
            match random.random_range(0..3) {
                0 => {
                    let rows = random.random_range(1..40);
                    let rows: Vec<String> = (next..next + rows).map(|id| format!("+I 0 {id} 0 {id:>060}")).collect();
                    next += rows.len() as i64;
                    running.on_batch(0, from_pretty(COLUMNS, &rows.join(" / ")), &mut count).unwrap();
                    passed = running.new_watermark();
                }
                1 => {
                    running.on_watermark(next, &mut count).unwrap();
                    passed = running.passed_watermark(next);
                    held += usize::from(passed.is_none());
                }
                _ => {
                    now += random.random_range(0..200);
                    running.on_processing_time(now, &mut count).unwrap();
                    passed = running.new_watermark().or(passed);
                }
            }
            if let Some(passed) = passed {
                // Rows come out once each, in any order: fewer than come before the watermark are too few.
                assert!(put_out >= passed && passed > watermark || passed == watermark, "seed {seed}: {passed}");
                watermark = passed;
            }
        }
        let Running::Spilling(spilling) = &mut running else { panic!("has no budget") };
        spilling.on_watermark(next + 1, &mut |_| Ok(())).unwrap();
        while spilling.passed_watermark(next + 1).is_none() && spilling.work_off(&mut |_| Ok(())).unwrap() {}
        assert!(spilling.new_watermark().is_none_or(|last| last == next + 1));
    }
    assert!(held > 100, "{held}");
}

//! A simulated server and thousands of interleavings.
//!
//! A transaction of the simulation is first in the log and later visible, in any order, as on a real server; rows it
//! changes are locked in between. Reads see what is visible. Whatever happens in whatever order, every emitted change
//! has to fit what was emitted before, and the result has to be the table.

use std::collections::{BTreeMap, BTreeSet};

use sluice_model::{RowKind, from_pretty};

use super::*;

/// xorshift64*, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}

const KEYS: i64 = 24;

/// One row change; `None` is the absence of the row.
#[derive(Debug, Clone, Copy)]
struct Change {
    key: i64,
    before: Option<i64>,
    after: Option<i64>,
}

#[derive(Default)]
struct SimulatedServer {
    /// What every transaction does, in log order.
    log: Vec<Vec<Change>>,
    visible: BTreeSet<usize>,
    table: BTreeMap<i64, i64>,
    locked: BTreeSet<i64>,
    next_value: i64,
}

impl SimulatedServer {
    /// Writes a transaction to the log; its rows are not visible yet.
    fn write(&mut self, dice: &mut Dice) {
        let mut changes = Vec::new();
        for _ in 0..=dice.roll(3) {
            let key = dice.roll(KEYS as u64) as i64;
            if self.locked.contains(&key) {
                continue;
            }
            self.next_value += 1;
            let before = self.table.get(&key).copied();
            let after = (before.is_none() || dice.roll(3) > 0).then_some(self.next_value);
            changes.push(Change { key, before, after });
            self.locked.insert(key);
            // A row that changes its key is a deletion and an insertion.
            let other = dice.roll(KEYS as u64) as i64;
            if dice.roll(4) == 0 && !self.locked.contains(&other) && before.is_some() {
                let moved = Change { key, before, after: None };
                if let Some(last) = changes.last_mut() {
                    *last = moved;
                }
                changes.push(Change { key: other, before: self.table.get(&other).copied(), after: before });
                self.locked.insert(other);
            }
        }
        if !changes.is_empty() {
            self.log.push(changes);
        }
    }

    fn make_visible(&mut self, transaction: usize) {
        if self.visible.insert(transaction) {
            for change in self.log[transaction].clone() {
                self.locked.remove(&change.key);
                match change.after {
                    Some(value) => self.table.insert(change.key, value),
                    None => self.table.remove(&change.key),
                };
            }
        }
    }

    fn make_any_visible(&mut self, dice: &mut Dice) {
        let hidden: Vec<usize> = (0..self.log.len()).filter(|t| !self.visible.contains(t)).collect();
        if !hidden.is_empty() {
            self.make_visible(hidden[dice.roll(hidden.len() as u64) as usize]);
        }
    }
}

fn batch(changes: &[Change], upsert: bool) -> ChangelogBatch {
    let mut text = Vec::new();
    for change in changes {
        let mut row = |kind: &str, value: i64| text.push(format!("{kind} {} {value}", change.key));
        match (change.before, change.after) {
            (None, Some(after)) => row("+I", after),
            (Some(before), None) => row("-D", before),
            (Some(_), Some(after)) if upsert => row("+U", after),
            (Some(before), Some(after)) => {
                row("-U", before);
                row("+U", after);
            }
            (None, None) => {}
        }
    }
    from_pretty("id BIGINT, v BIGINT", &text.join(" / "))
}

/// What the consumer has.
struct Target {
    rows: BTreeMap<i64, i64>,
    upsert: bool,
    /// A condition between source and consumer: even values only. Needs `-U`.
    filters: bool,
    /// After a crash the consumer sees things twice: it replaces by key, and rows it never had are taken back.
    has_crashed: bool,
    seed: u64,
}

impl Target {
    fn apply(&mut self, batch: &ChangelogBatch) {
        let keys = integer_keys(batch.rows().column(0).as_ref()).unwrap();
        let values = integer_keys(batch.rows().column(1).as_ref()).unwrap();
        let mut updating = None;
        for row in 0..batch.num_rows() {
            let (key, value, kind) = (keys[row] as i64, values[row] as i64, batch.kind(row));
            if !self.wants(value) {
                continue;
            }
            let old = if kind.is_addition() { self.rows.insert(key, value) } else { self.rows.remove(&key) };
            if self.has_crashed {
                continue;
            }
            let seed = self.seed;
            match kind {
                RowKind::Insert => assert_eq!(old, None, "seed {seed}: +I {key} twice"),
                RowKind::Delete => assert_eq!(old, Some(value), "seed {seed}: -D {key} {value}"),
                RowKind::UpdateBefore => {
                    assert_eq!(old, Some(value), "seed {seed}: -U {key} {value}");
                    updating = Some(key);
                }
                RowKind::UpdateAfter if self.filters => {}
                RowKind::UpdateAfter => {
                    assert_eq!(old.is_some(), self.upsert, "seed {seed}: +U {key} {value}");
                    assert!(self.upsert || updating == Some(key), "seed {seed}: +U {key} without -U");
                }
            }
        }
    }

    fn wants(&self, value: i64) -> bool {
        !self.filters || value % 2 == 0
    }
}

/// A chunk on its way: registered, then read, then told its watermark.
struct Job {
    id: ChunkId,
    range: Range,
    must_show: usize,
    rows: Option<RecordBatch>,
}

struct Simulation {
    dice: Dice,
    server: SimulatedServer,
    merge: TableMerge,
    target: Target,
    consumed: usize,
    jobs: Vec<Job>,
    next_id: ChunkId,
    /// Consumed place and finished ranges, as a durable checkpoint has them.
    checkpoint: (usize, Vec<Range>),
}

fn place(index: usize) -> Place {
    Place { file: 1, pos: index as u64 }
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut server = SimulatedServer::default();
        for _ in 0..20 {
            server.write(&mut dice);
            server.make_any_visible(&mut dice);
        }
        // Reading begins at a place that everything before is visible of.
        while server.visible.len() < server.log.len() {
            server.make_any_visible(&mut dice);
        }
        let consumed = server.log.len();
        let upsert = dice.roll(2) == 0;
        let filters = !upsert && dice.roll(2) == 0;
        let target = Target { rows: BTreeMap::new(), upsert, filters, has_crashed: false, seed };
        let merge = TableMerge::new(vec![0]);
        let checkpoint = (consumed, Vec::new());
        Self { dice, server, merge, target, consumed, jobs: Vec::new(), next_id: 0, checkpoint }
    }

    fn step(&mut self) {
        match self.dice.roll(10) {
            0..=2 => self.server.write(&mut self.dice),
            3..=4 => self.server.make_any_visible(&mut self.dice),
            5 => self.consume(),
            6 => self.divide_and_register(),
            7 => self.read(),
            8 => self.deliver(),
            _ if self.dice.roll(12) == 0 => self.restart(),
            _ if self.dice.roll(12) == 0 => self.checkpoint = (self.consumed, self.merge.finished()),
            _ if self.dice.roll(24) == 0 => self.crash(),
            _ => self.finish(),
        }
    }

    fn consume(&mut self) {
        let until = (self.consumed + 1 + self.dice.roll(4) as usize).min(self.server.log.len());
        let changes: Vec<Change> = self.server.log[self.consumed..until].concat();
        let batch = batch(&changes, self.target.upsert);
        let bounds: Vec<i128> = self.merge.bounds().filter_map(Bound::to_int).collect();
        let keys = integer_keys(batch.rows().column(0).as_ref()).unwrap();
        let segments: Vec<u32> = keys.iter().map(|key| bounds.partition_point(|b| b <= key) as u32).collect();
        if let Some(rows) = self.merge.route(batch, &segments).unwrap() {
            self.target.apply(&rows);
        }
        self.consumed = until;
    }

    fn divide_and_register(&mut self) {
        if let Some(range) = self.merge.next_undivided() {
            let start = range.start.as_ref().and_then(Bound::to_int).unwrap_or(0) as i64;
            let end = range.end.as_ref().and_then(Bound::to_int).unwrap_or(i128::from(KEYS)) as i64;
            let at = start + 1 + self.dice.roll(8) as i64;
            let at = (at < end).then(|| Bound::of_int(i128::from(at)));
            self.merge.divide(range.start.as_ref(), at).unwrap();
        }
        if self.dice.roll(2) == 0
            && let Some(range) = self.merge.register(self.next_id)
        {
            self.jobs.push(Job { id: self.next_id, range, must_show: self.consumed, rows: None });
            self.next_id += 1;
        }
    }

    /// Reads a chunk that has not been read, if what was consumed at its registration is visible.
    fn read(&mut self) {
        let visible = &self.server.visible;
        let ready =
            self.jobs.iter_mut().find(|job| job.rows.is_none() && (0..job.must_show).all(|t| visible.contains(&t)));
        if let Some(job) = ready {
            let start = job.range.start.as_ref().and_then(Bound::to_int).unwrap_or(i128::MIN);
            let end = job.range.end.as_ref().and_then(Bound::to_int).unwrap_or(i128::MAX);
            let inside = |key: &i64| i128::from(*key) >= start && i128::from(*key) < end;
            let rows: Vec<String> =
                self.server.table.iter().filter(|(key, _)| inside(key)).map(|(k, v)| format!("{k} {v}")).collect();
            job.rows = Some(from_pretty("id BIGINT, v BIGINT", &rows.join(" / ")).into_parts().0);
        }
    }

    /// Some time after the read the end of the log is asked for.
    fn deliver(&mut self) {
        if let Some(at) = self.jobs.iter().position(|job| job.rows.is_some()) {
            let job = self.jobs.remove(at);
            self.merge.deliver(job.id, job.rows.unwrap(), place(self.server.log.len())).unwrap();
        }
    }

    fn finish(&mut self) {
        if let Some(emitted) = self.merge.finish_next(place(self.consumed)).unwrap() {
            self.target.apply(&ChangelogBatch::append(emitted.rows));
            assert_eq!(emitted.finished, self.merge.finished());
        }
    }

    /// Everything is forgotten but the consumed place and the finished ranges.
    fn restart(&mut self) {
        self.merge = TableMerge::resume(&self.merge.finished(), vec![0], self.target.has_crashed);
        self.jobs.clear();
    }

    /// As [`restart`](Self::restart), and what was done since the checkpoint is forgotten too; but the consumer has it.
    fn crash(&mut self) {
        let (consumed, finished) = self.checkpoint.clone();
        self.consumed = consumed;
        self.merge = TableMerge::resume(&finished, vec![0], true);
        self.jobs.clear();
        self.target.has_crashed = true;
    }

    fn run_to_the_end(mut self) {
        for _ in 0..400 {
            self.step();
        }
        while !self.merge.is_complete() {
            self.server.make_any_visible(&mut self.dice);
            self.divide_and_register();
            self.read();
            self.deliver();
            if self.consumed < self.server.log.len() {
                self.consume();
            }
            self.finish();
        }
        while self.server.visible.len() < self.server.log.len() {
            self.server.make_any_visible(&mut self.dice);
        }
        while self.consumed < self.server.log.len() {
            self.consume();
        }
        let wanted = self.server.table.into_iter().filter(|(_, value)| self.target.wants(*value)).collect();
        assert_eq!(self.target.rows, wanted, "seed {}", self.target.seed);
    }
}

#[test]
fn snapshot_and_log_make_the_table_in_every_interleaving() {
    for seed in 0..4000 {
        Simulation::new(seed).run_to_the_end();
    }
}

fn range(start: Option<i128>, end: Option<i128>) -> Range {
    Range { start: start.map(Bound::of_int), end: end.map(Bound::of_int) }
}

#[test]
fn finished_ranges_survive_a_restart_with_their_gaps() {
    let finished = [range(None, Some(10)), range(Some(20), Some(30))];
    let merge = TableMerge::resume(&finished, vec![0], true);
    assert_eq!(merge.finished(), finished);
    assert_eq!(merge.next_undivided(), Some(range(Some(10), Some(20))));
    assert!(!merge.is_complete());
    assert!(TableMerge::resume(&[Range::ALL], vec![0], true).is_complete());
    assert_eq!(TableMerge::new(vec![0]).next_undivided(), Some(Range::ALL));
}

#[test]
fn changes_go_where_their_key_belongs() {
    let mut merge = TableMerge::resume(&[range(None, Some(10))], vec![0], false);
    merge.divide(Some(&Bound::of_int(10)), Some(Bound::of_int(20))).unwrap();
    let chunk = merge.register(7).unwrap();
    assert_eq!(chunk, range(Some(10), Some(20)));
    let changes = from_pretty("id BIGINT, v STRING", "+I 1 live / +I 11 kept / +I 21 dropped");
    let emitted = merge.route(changes, &[0, 1, 2]).unwrap().unwrap();
    assert_eq!(sluice_model::to_pretty(&emitted), "+I 1 live");
    merge.deliver(7, from_pretty("id BIGINT, v STRING", "12 read").into_parts().0, place(5)).unwrap();
    assert!(merge.finish_next(place(4)).unwrap().is_none());
    let chunk = merge.finish_next(place(5)).unwrap().unwrap();
    assert_eq!(sluice_model::to_pretty(&ChangelogBatch::append(chunk.rows)), "+I 12 read / +I 11 kept");
    assert_eq!(merge.finished(), [range(None, Some(20))]);
}

#[test]
fn what_is_taken_back_after_a_crash_is_passed_on() {
    let mut merge = TableMerge::resume(&[range(None, Some(10))], vec![0], true);
    merge.divide(Some(&Bound::of_int(10)), Some(Bound::of_int(20))).unwrap();
    merge.register(7).unwrap();
    let changes = from_pretty(
        "id BIGINT, v STRING",
        "-U 1 a / +U 1 b / -U 11 a / +U 11 b / -D 12 c / -U 21 a / +U 21 b / -D 22 c / +I 23 d",
    );
    let emitted = merge.route(changes, &[0, 0, 1, 1, 1, 2, 2, 2, 2]).unwrap().unwrap();
    let text = sluice_model::to_pretty(&emitted);
    assert_eq!(text, "-U 1 a / +U 1 b / -D 11 a / -D 12 c / -D 21 a / -D 22 c");
}

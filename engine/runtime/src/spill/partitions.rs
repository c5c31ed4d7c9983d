//! All partitions of an operator: which are in memory, and when those on disk get their turn.
//!
//! Reading a partition costs what it weighs, not what is asked of it. So it pays to let rows pile up,
//! and to leave those partitions in memory that get most rows. A partition gets its turn
//!
//! | when | so that |
//! |---|---|
//! | rows that wait for it are half of its own size | reading it is worth its cost |
//! | a row has waited [`WAIT`], or twice what working off everything takes | results are not late |
//! | a barrier, or the end of the input, comes | nothing is left behind |
//!
//! It stays in memory until room is needed; then the one that has had the fewest rows lately goes.
//! The one that was read last goes first if it is not clearly warmer: where all are alike, most stay
//! where they are, and one place is used in turn by those that cannot stay.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use sluice_model::{ChangelogBatch, Error, Gauge, Result};
use sluice_operators::{Operator, Output, Scope, StateTable};

use super::file::{Run, SpillFile};
use super::log::Log;
use super::partition::{Disk, Partition, write_out};
use super::spread::Spread;
use super::{Blueprint, Means};
use crate::state_tables::bytes_of;

/// Milliseconds that rows wait for others, if working them off is not what takes time.
const WAIT: i64 = 200;
/// Partitions in the beginning, as bits.
const BITS: u32 = 6;
/// Partitions are not split further.
const MOST_BITS: u32 = 16;
/// Partitions of this many bytes are not split.
const SMALL: usize = 64 << 10;
/// What waits in memory may take this part of what the operator may take.
const WAITING: usize = 4;
/// Partitions are kept below this part of it.
const PARTS: usize = 8;

/// See the module.
pub(super) struct Partitions {
    blueprint: Arc<Blueprint>,
    /// By state table: the columns by which its rows are dealt.
    distribution: Vec<Vec<usize>>,
    disk: Disk,
    spread: Spread,
    pub(super) all: Vec<Partition>,
    /// The partition that was read last.
    visitor: Option<usize>,
    /// Number of batches that have ever waited.
    arrivals: u64,
    /// Watermarks, and how many batches had come to wait before each.
    held: VecDeque<(i64, u64)>,
    /// Milliseconds that it takes to work off a partition, on average.
    cost: f64,
    has_ttl: bool,
    /// Changes since the last checkpoint may be asked for.
    pub(super) keeps_changes: bool,
    counts: Counts,
}

/// Partitions in memory and on disk, as metrics of a task whose operators add up.
struct Counts {
    gauges: [Gauge; 2],
    own: [i64; 2],
}

impl Partitions {
    /// Partitions without state.
    pub(super) fn new(blueprint: Arc<Blueprint>, tables: &[StateTable], means: &Means) -> Result<Self> {
        let file = SpillFile::create(&means.directory)?;
        let partition = || Partition { bits: BITS, ..Partition::default() };
        Ok(Self {
            disk: Disk::new(file, &blueprint, tables, means.metrics.counter("state_spilled_bytes")),
            distribution: tables.iter().map(|table| (0..table.distribution).collect()).collect(),
            has_ttl: blueprint.ttl.iter().any(Option::is_some),
            blueprint,
            spread: Spread::new(BITS),
            all: (0..1 << BITS).map(|_| partition()).collect(),
            visitor: None,
            arrivals: 0,
            held: VecDeque::new(),
            cost: 0.0,
            keeps_changes: false,
            counts: Counts {
                gauges: ["resident", "spilled"].map(|name| means.metrics.gauge(&format!("state_partitions_{name}"))),
                own: [0; 2],
            },
        })
    }

    /// Memory that all of them take.
    pub(super) fn memory(&self) -> usize {
        self.all.iter().map(Partition::memory).sum()
    }

    /// Deals the state of an instance, which is over with that.
    pub(super) fn deal_out(&mut self, instance: &mut dyn Operator, means: &Means) -> Result<()> {
        if self.keeps_changes {
            instance.snapshot(Scope::Changes, &mut |table, rows| {
                for (partition, rows) in self.deal(table, &rows)? {
                    self.all[partition].changes.append(table, rows);
                }
                Ok(())
            })?;
            self.all.iter_mut().try_for_each(|partition| self.disk.write_state(&mut partition.changes))?;
        }
        instance.snapshot(Scope::All, &mut |table, rows| self.take_over(table, rows, means))
    }

    /// Takes rows of a state table out of a place where the others still are: both together have to fit.
    pub(super) fn take_over(&mut self, table: usize, rows: ChangelogBatch, means: &Means) -> Result<()> {
        self.restore(table, rows)?;
        self.write_waiting(means.account.allowance() / WAITING)
    }

    /// Takes rows of a state table back.
    pub(super) fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        for (partition, rows) in self.deal(table, &rows)? {
            let partition = &mut self.all[partition];
            partition.bytes += bytes_of(&rows);
            partition.state.append(table, rows);
        }
        Ok(())
    }

    fn deal(&self, table: usize, rows: &ChangelogBatch) -> Result<Vec<(usize, ChangelogBatch)>> {
        let columns = self.distribution.get(table).ok_or_else(|| Error::bug("rows of no table of the state"))?;
        self.spread.deal(rows, columns, self.all.len())
    }

    /// Hands rows to partitions in memory, and lets others wait.
    pub(super) fn on_batch(
        &mut self,
        (input, columns): (usize, &[usize]),
        batch: ChangelogBatch,
        now: i64,
        output: Output<'_>,
    ) -> Result<()> {
        for (partition, rows) in self.spread.deal(&batch, columns, self.all.len())? {
            let partition = &mut self.all[partition];
            partition.heat += rows.num_rows() as f64;
            if let Some(instance) = &mut partition.instance {
                instance.on_batch(input, rows, output)?;
                partition.bytes = instance.state_bytes();
            } else {
                partition.wait(input, rows, self.arrivals, now);
                self.arrivals += 1;
            }
        }
        Ok(())
    }

    /// Gives those partitions their turn for which enough rows wait. One at a time, so that nothing else
    /// has to wait for all of them, unless rows come faster than that.
    pub(super) fn work_off_ripe(&mut self, now: i64, means: &mut Means, output: Output<'_>) -> Result<()> {
        let least = means.account.allowance() / (1 << BITS);
        let ripeness = |partition: &Partition| {
            let enough = least.max(partition.bytes / 2).max(1);
            if partition.queue.is_empty() { 0.0 } else { partition.queue.len() as f64 / enough as f64 }
        };
        let mut wanted = 1.0;
        loop {
            let ripest = (0..self.all.len()).map(|number| (ripeness(&self.all[number]), number));
            let ripest = ripest.max_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, number)) = ripest.filter(|(ripeness, _)| *ripeness >= wanted) else { return Ok(()) };
            self.work_off(number, now, means, output)?;
            self.settle(means)?;
            wanted = 2.0;
        }
    }

    /// Brings a partition into memory, and works off what waits for it.
    pub(super) fn work_off(&mut self, number: usize, now: i64, means: &mut Means, output: Output<'_>) -> Result<()> {
        let start = Instant::now();
        let allowance = means.account.allowance();
        let own = self.all[number].bytes;
        self.evict_until(allowance.saturating_sub(own), Some(number))?;
        let partition = &mut self.all[number];
        if partition.instance.is_none() {
            partition.load(&self.blueprint, &self.disk, now, output)?;
        }
        partition.catch_up(&self.disk, output)?;
        self.visitor = Some(number);
        let forgotten = 1.0 - 1.0 / self.all.len() as f64;
        self.all.iter_mut().for_each(|partition| partition.heat *= forgotten);
        let millis = start.elapsed().as_secs_f64() * 1000.0;
        self.cost = if self.cost == 0.0 { millis } else { 0.9 * self.cost + 0.1 * millis };
        Ok(())
    }

    /// Brings the memory within what the operator may take.
    pub(super) fn settle(&mut self, means: &mut Means) -> Result<()> {
        let allowance = means.account.allowance();
        let most = (allowance / PARTS).max(SMALL);
        for number in 0..self.all.len() {
            let partition = &self.all[number];
            if partition.instance.is_some() && partition.bytes > most && partition.bits < MOST_BITS {
                self.split(number, means)?;
            }
        }
        self.write_waiting(allowance / WAITING)?;
        self.evict_until(allowance, None)?;
        if self.memory() > allowance {
            self.write_waiting(0)?;
        }
        means.account.set(self.memory());
        let resident = self.all.iter().filter(|partition| partition.instance.is_some()).count();
        self.counts.set([resident, self.all.len() - resident]);
        Ok(())
    }

    /// Deals a partition that has become too large to two.
    fn split(&mut self, number: usize, means: &Means) -> Result<()> {
        let new = self.all.len();
        let partition = &mut self.all[number];
        let Some(mut instance) = partition.instance.take() else { return Ok(()) };
        if self.keeps_changes {
            // They may stay together: what comes behind is handed out behind.
            write_out(instance.as_mut(), Scope::Changes, &mut partition.changes, &self.disk)?;
        }
        self.spread.split(number, partition.bits, new);
        partition.bits += 1;
        partition.heat /= 2.0;
        partition.bytes = 0;
        let (bits, heat) = (partition.bits, partition.heat);
        self.all.push(Partition { bits, heat, ..Partition::default() });
        let keeps_changes = std::mem::take(&mut self.keeps_changes);
        self.deal_out(instance.as_mut(), means)?;
        self.keeps_changes = keeps_changes;
        Ok(())
    }

    /// Writes the coldest partitions to disk, all but one, until no more than `limit` bytes are taken.
    fn evict_until(&mut self, limit: usize, except: Option<usize>) -> Result<()> {
        let mut memory = self.memory();
        while memory > limit {
            let warmth = |number: usize| {
                let heat = self.all[number].heat;
                if self.visitor == Some(number) { heat / 2.0 } else { heat }
            };
            let resident = (0..self.all.len()).filter(|number| self.all[*number].instance.is_some());
            let others = resident.filter(|number| Some(*number) != except);
            let Some(coldest) = others.min_by(|one, other| warmth(*one).total_cmp(&warmth(*other))) else {
                return Ok(());
            };
            let partition = &mut self.all[coldest];
            memory -= partition.memory();
            partition.evict(&self.disk, self.keeps_changes)?;
            memory += partition.memory();
        }
        Ok(())
    }

    /// Writes what waits in memory to disk, the most first, until it takes no more than `limit` bytes.
    fn write_waiting(&mut self, limit: usize) -> Result<()> {
        let mut waiting: usize = self.all.iter().map(Partition::waiting_memory).sum();
        while waiting > limit {
            let Some(largest) = self.all.iter_mut().max_by_key(|partition| partition.waiting_memory()) else { break };
            waiting -= largest.waiting_memory();
            self.disk.write_state(&mut largest.state)?;
            self.disk.write_queue(&mut largest.queue)?;
        }
        Ok(())
    }

    /// The partition whose rows have waited longest.
    pub(super) fn oldest(&self) -> Option<usize> {
        let queued = (0..self.all.len()).filter(|number| !self.all[*number].queue.is_empty());
        queued.min_by_key(|number| self.all[*number].first)
    }

    /// The partition whose rows have waited long enough.
    pub(super) fn due(&self, now: i64) -> Option<usize> {
        let oldest = self.oldest()?;
        (self.all[oldest].since.saturating_add(self.patience()) <= now).then_some(oldest)
    }

    /// Milliseconds that rows wait: two thirds of the time are for taking rows in.
    fn patience(&self) -> i64 {
        let queued = self.all.iter().filter(|partition| !partition.queue.is_empty()).count();
        WAIT.max((2.0 * self.cost * queued as f64) as i64)
    }

    /// Tells partitions in memory what time it is; others are told when they are read.
    pub(super) fn tell_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        if self.has_ttl {
            for partition in &mut self.all {
                if let Some(instance) = &mut partition.instance {
                    instance.on_processing_time(now, output)?;
                    partition.bytes = instance.state_bytes();
                }
            }
        }
        Ok(())
    }

    /// When something is to be done; never at once, so that a clock that stands still does not keep the
    /// task busy.
    pub(super) fn next_timer(&self, now: i64) -> Option<i64> {
        let instances = self.all.iter().filter_map(|partition| partition.instance.as_ref());
        let instances = instances.filter_map(|instance| instance.next_timer());
        let due = self.oldest().map(|oldest| self.all[oldest].since.saturating_add(self.patience()));
        instances.chain(due.map(|due| due.max(now.saturating_add(1)))).min()
    }

    /// Holds a watermark back if rows wait.
    pub(super) fn hold(&mut self, watermark: i64) {
        if self.holds() {
            self.held.push_back((watermark, self.arrivals));
        } else {
            self.held.clear();
        }
    }

    /// True if watermarks are held back.
    pub(super) fn holds(&self) -> bool {
        self.all.iter().any(|partition| !partition.queue.is_empty())
    }

    /// The newest watermark behind which no row waits any more.
    pub(super) fn released(&mut self) -> Option<i64> {
        if self.held.is_empty() {
            return None;
        }
        let oldest = self.oldest().map_or(u64::MAX, |oldest| self.all[oldest].first);
        let released = self.held.iter().take_while(|(_, arrivals)| *arrivals <= oldest).count();
        self.held.drain(..released).next_back().map(|(watermark, _)| watermark)
    }

    /// A snapshot, on disk: that of partitions in memory is written there, one by one, because all of
    /// them at once would take as much memory again.
    pub(super) fn snapshot(&mut self, scope: Scope, means: &mut Means) -> Result<Vec<Arc<Run>>> {
        if self.oldest().is_some() {
            return Err(Error::bug("a snapshot of an operator for which rows wait"));
        }
        self.write_waiting(0)?;
        means.account.set(self.memory());
        let mut runs = Vec::new();
        for partition in &mut self.all {
            let changes = std::mem::take(&mut partition.changes);
            let log = if scope == Scope::All { &partition.state } else { &changes };
            runs.extend(log.runs().iter().map(Arc::clone));
            if let Some(instance) = &mut partition.instance {
                let mut log = Log::default();
                write_out(instance.as_mut(), scope, &mut log, &self.disk)?;
                runs.extend(log.runs().iter().map(Arc::clone));
            }
        }
        Ok(runs)
    }
}

impl Counts {
    fn set(&mut self, counts: [usize; 2]) {
        for ((gauge, own), count) in self.gauges.iter().zip(&mut self.own).zip(counts) {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            gauge.add(count - *own);
            *own = count;
        }
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        self.set([0; 2]);
    }
}

//! State that is larger than memory.
//!
//! [`Spilling`] is an operator with state that lives within a budget. While its state fits there is
//! one instance of it, and rows pass straight through. When it does not, the state is dealt to
//! partitions by a hash of its keys; a partition is the same operator over some of the keys. Some
//! partitions stay in memory, the others lie on disk as the rows of their state tables.
//!
//! ```text
//! GROUP BY id, ids 1 to 4, room for half of them
//!
//!                    partition 0 (ids 1, 3): in memory      partition 1 (ids 2, 4): on disk
//! +I 1, +I 2         +I 1 ─► put out                        +I 2 waits
//! +I 4               (nothing)                              +I 4 waits
//! some time later    goes to disk                           is read, +I 2 and +I 4 ─► put out
//! ```
//!
//! Rows for a partition on disk wait until there are enough of them to be worth reading it, or until
//! they have waited long enough; they are written to disk too when they are many. A barrier and the
//! end of the input wait until all have been worked off, so that a checkpoint holds what came before
//! it. A watermark does not overtake rows that wait. The order of rows of one key is kept; that of
//! rows with different keys is not, as it is not between subtasks.

mod budget;
mod file;
mod log;
mod partition;
mod partitions;
mod running;
#[cfg(test)]
mod speed_tests;
mod spread;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, MetricGroup, Result};
use sluice_operators::{Operator, Output, Scope, StateOutput, StateTable};
use sluice_plan::{Node, Operation};

pub(crate) use self::budget::{Account, MemoryBudget};
pub(crate) use self::file::Run;
pub(crate) use self::running::{Memory, Running};

use self::log::{Log, Tables};
use self::partitions::Partitions;

/// How often an operator that takes more than its share looks whether others want some of it.
const LOOK: i64 = 1000;

/// How instances of the operator are made.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) node: Node,
    pub(crate) inputs: Vec<SchemaRef>,
    pub(crate) ttl: Vec<Option<Duration>>,
}

/// What an operator needs to spill.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) account: Account,
    pub(crate) directory: PathBuf,
    pub(crate) metrics: MetricGroup,
    /// Changes are kept for checkpoints that hold only these.
    pub(crate) is_incremental: bool,
}

/// See the module.
pub(crate) struct Spilling {
    blueprint: Arc<Blueprint>,
    /// By input: the columns by which its rows are dealt.
    keys: Vec<Vec<usize>>,
    tables: Vec<StateTable>,
    means: Means,
    phase: Phase,
    /// State of a checkpoint that no instance has been given yet: it may be too much for one.
    restored: Log,
    now: i64,
    /// All of the state has been handed out: from then on changes of it may be asked for.
    has_snapshot: bool,
}

enum Phase {
    Whole(Box<dyn Operator>),
    Dealt(Box<Partitions>),
}

impl Blueprint {
    /// A new instance, without state.
    fn instance(&self) -> Result<Box<dyn Operator>> {
        let inputs: Vec<_> = self.inputs.iter().map(Arc::clone).collect();
        let operator = sluice_operators::operator(&self.node, &inputs)?;
        let mut operator = operator.ok_or_else(|| Error::bug("a node with state has no operator"))?;
        operator.expire_after(&self.ttl);
        Ok(operator)
    }

    /// By input: the columns that decide which part of the state a row concerns. `None` if the state
    /// cannot be dealt, or hangs on event time: then it is gone soon anyway.
    pub(crate) fn keys(&self) -> Option<Vec<Vec<usize>>> {
        let keys = match &self.node.operation {
            Operation::GroupAggregate(node) if node.window_end.is_none() => vec![node.group.clone()],
            Operation::Join(node) if node.window_ends.is_none() => {
                let (left, right) = node.keys.iter().copied().unzip();
                vec![left, right]
            }
            Operation::Rank(node) if node.window_end.is_none() => vec![node.partition.clone()],
            Operation::Normalize(node) => vec![node.key.clone()],
            Operation::UpsertMaterialize(node) => vec![node.key.clone()],
            _ => return None,
        };
        Some(keys).filter(|keys: &Vec<Vec<usize>>| keys.iter().all(|columns| !columns.is_empty()))
    }
}

impl Spilling {
    /// An operator whose rows are dealt by these columns of its inputs.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit its input.
    pub(crate) fn new(blueprint: Blueprint, keys: Vec<Vec<usize>>, means: Means) -> Result<Self> {
        let instance = blueprint.instance()?;
        let tables = instance.state_tables().to_vec();
        let width = keys.first().map_or(0, Vec::len);
        if tables.iter().any(|table| table.distribution != width) {
            return Err(Error::bug("state that is dealt by other columns than its input"));
        }
        let blueprint = Arc::new(blueprint);
        let (phase, restored) = (Phase::Whole(instance), Log::default());
        Ok(Self { blueprint, keys, tables, means, phase, restored, now: i64::MIN, has_snapshot: false })
    }

    /// Works off rows that have waited longest; false if none wait.
    ///
    /// # Errors
    /// As [`Operator::on_batch`], or the disk is broken.
    pub(crate) fn work_off(&mut self, output: Output<'_>) -> Result<bool> {
        let Phase::Dealt(partitions) = &mut self.phase else { return Ok(false) };
        let Some(oldest) = partitions.oldest() else { return Ok(false) };
        partitions.work_off(oldest, self.now, &mut self.means, output)?;
        partitions.settle(&mut self.means)?;
        Ok(true)
    }

    /// The part of a snapshot that lies on disk, in the form of a checkpoint: everything or nothing. The
    /// rest comes from [`Operator::snapshot`], behind it.
    ///
    /// # Errors
    /// The disk is full, or broken; a bug: rows still wait.
    pub(crate) fn snapshot_spilled(&mut self, scope: Scope) -> Result<Vec<Arc<Run>>> {
        self.settle_restored()?;
        match &mut self.phase {
            Phase::Whole(_) => Ok(Vec::new()),
            Phase::Dealt(partitions) => partitions.snapshot(scope, &mut self.means),
        }
    }

    /// Deals the state to partitions if it has become too large.
    fn settle(&mut self) -> Result<()> {
        let instance = match &mut self.phase {
            Phase::Dealt(partitions) => return partitions.settle(&mut self.means),
            Phase::Whole(instance) => instance,
        };
        let bytes = instance.state_bytes();
        self.means.account.set(bytes);
        if bytes <= self.means.account.allowance() {
            return Ok(());
        }
        let mut partitions = Partitions::new(Arc::clone(&self.blueprint), &self.tables, &self.means)?;
        partitions.keeps_changes = self.means.is_incremental && self.has_snapshot;
        partitions.deal_out(instance.as_mut(), &self.means)?;
        tracing::debug!(state = %self.blueprint.node.state_id, bytes, "state is spilled");
        self.phase = Phase::Dealt(Box::new(partitions));
        self.settle()
    }

    /// Takes in what was restored, now that all of it is there.
    fn settle_restored(&mut self) -> Result<()> {
        if let (false, Phase::Whole(instance)) = (self.restored.is_empty(), &mut self.phase) {
            let tables = Tables::of_state(&self.tables);
            self.restored.replay(&tables, &mut |table, rows| instance.restore(table, rows))?;
            self.settle()?;
        }
        Ok(())
    }
}

impl Operator for Spilling {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        match &mut self.phase {
            Phase::Whole(instance) => instance.on_batch(input, batch, output)?,
            Phase::Dealt(partitions) => {
                let columns = self.keys.get(input).ok_or_else(|| Error::bug("rows of no input"))?;
                partitions.on_batch((input, columns), batch, self.now, output)?;
                partitions.work_off_ripe(self.now, &mut self.means, output)?;
            }
        }
        self.settle()
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        match &mut self.phase {
            Phase::Whole(instance) => instance.on_watermark(watermark, output),
            Phase::Dealt(partitions) => {
                partitions.hold(watermark);
                Ok(())
            }
        }
    }

    fn on_processing_time(&mut self, now: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        self.now = now;
        match &mut self.phase {
            Phase::Whole(instance) => instance.on_processing_time(now, output)?,
            Phase::Dealt(partitions) => {
                partitions.tell_time(now, output)?;
                if let Some(due) = partitions.due(now) {
                    partitions.work_off(due, now, &mut self.means, output)?;
                }
            }
        }
        self.settle()
    }

    fn next_timer(&self) -> Option<i64> {
        let look = self.means.account.is_above_share().then(|| self.now.saturating_add(LOOK));
        let timer = match &self.phase {
            Phase::Whole(instance) => instance.next_timer(),
            Phase::Dealt(partitions) => partitions.next_timer(self.now),
        };
        timer.into_iter().chain(look).min()
    }

    fn new_watermark(&mut self) -> Option<i64> {
        match &mut self.phase {
            Phase::Whole(instance) => instance.new_watermark(),
            Phase::Dealt(partitions) => partitions.released(),
        }
    }

    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        match &self.phase {
            Phase::Whole(instance) => instance.passed_watermark(watermark),
            Phase::Dealt(partitions) => Some(watermark).filter(|_| !partitions.holds()),
        }
    }

    fn state_bytes(&self) -> usize {
        match &self.phase {
            Phase::Whole(instance) => instance.state_bytes() + self.restored.memory(),
            Phase::Dealt(partitions) => partitions.memory(),
        }
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    /// What does not come from [`Spilling::snapshot_spilled`].
    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored()?;
        self.has_snapshot |= scope == Scope::All;
        match &mut self.phase {
            Phase::Whole(instance) => instance.snapshot(scope, output),
            Phase::Dealt(partitions) => {
                partitions.keeps_changes = self.means.is_incremental && self.has_snapshot;
                Ok(())
            }
        }
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        if let Phase::Dealt(partitions) = &mut self.phase {
            partitions.restore(table, rows)?;
            return self.settle();
        }
        self.restored.append(table, rows);
        self.means.account.set(self.restored.memory());
        if self.restored.memory() <= self.means.account.allowance() {
            return Ok(());
        }
        let mut partitions = Box::new(Partitions::new(Arc::clone(&self.blueprint), &self.tables, &self.means)?);
        let tables = Tables::of_state(&self.tables);
        let means = &self.means;
        self.restored.replay(&tables, &mut |table, rows| partitions.take_over(table, rows, means))?;
        self.phase = Phase::Dealt(partitions);
        self.settle()
    }
}

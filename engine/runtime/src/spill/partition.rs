//! A partition: the operator over some of the keys, in memory or on disk.

use std::sync::Arc;

use sluice_model::{ChangelogBatch, Counter, Error, Result};
use sluice_operators::{Operator, Output, Scope, StateTable};

use super::Blueprint;
use super::file::SpillFile;
use super::log::{Log, Tables};

/// State is written in runs of about so many bytes: what reading needs.
const RUN: usize = 4 << 20;

/// What partitions are read and written with.
pub(super) struct Disk {
    pub(super) file: Arc<SpillFile>,
    pub(super) state: Tables,
    pub(super) inputs: Tables,
    /// Bytes that were written.
    pub(super) written: Counter,
}

/// See the module.
#[derive(Default)]
pub(super) struct Partition {
    /// Bits of the hash by which its keys are known.
    pub(super) bits: u32,
    /// `None`: it is on disk.
    pub(super) instance: Option<Box<dyn Operator>>,
    /// Memory that its state takes, or took when it was in memory.
    pub(super) bytes: usize,
    /// Its state if it is on disk.
    pub(super) state: Log,
    /// What has changed since the last checkpoint up to when it was last written to disk.
    pub(super) changes: Log,
    /// Rows that wait for it, by input.
    pub(super) queue: Log,
    /// When the oldest of them came, and its number.
    pub(super) since: i64,
    pub(super) first: u64,
    /// How many rows it has had lately.
    pub(super) heat: f64,
}

impl Disk {
    pub(super) fn new(file: SpillFile, blueprint: &Blueprint, tables: &[StateTable], written: Counter) -> Self {
        let inputs = blueprint.inputs.iter().enumerate();
        let inputs = inputs.map(|(input, schema)| (format!("input {input}"), Arc::clone(schema)));
        Self { file: Arc::new(file), state: Tables::of_state(tables), inputs: Tables(inputs.collect()), written }
    }

    pub(super) fn write_state(&self, log: &mut Log) -> Result<()> {
        self.written.add(log.write(&self.file, &self.state)? as u64);
        Ok(())
    }

    pub(super) fn write_queue(&self, log: &mut Log) -> Result<()> {
        self.written.add(log.write(&self.file, &self.inputs)? as u64);
        Ok(())
    }
}

impl Partition {
    /// Memory that it takes.
    pub(super) fn memory(&self) -> usize {
        let instance = if self.instance.is_some() { self.bytes } else { 0 };
        instance + self.waiting_memory()
    }

    /// Memory of what could be written to disk as it is.
    pub(super) fn waiting_memory(&self) -> usize {
        self.state.memory() + self.queue.memory()
    }

    /// Adds rows to what waits; `number` counts all that have ever waited.
    pub(super) fn wait(&mut self, input: usize, rows: ChangelogBatch, number: u64, now: i64) {
        if self.queue.is_empty() {
            (self.since, self.first) = (now, number);
        }
        self.queue.append(input, rows);
    }

    /// Brings its state into memory.
    pub(super) fn load(&mut self, blueprint: &Blueprint, disk: &Disk, now: i64, output: Output<'_>) -> Result<()> {
        let mut instance = blueprint.instance()?;
        self.state.replay(&disk.state, &mut |table, rows| instance.restore(table, rows))?;
        if now != i64::MIN {
            instance.on_processing_time(now, output)?;
        }
        self.bytes = instance.state_bytes();
        self.instance = Some(instance);
        Ok(())
    }

    /// Works off what waits, with its state in memory.
    pub(super) fn catch_up(&mut self, disk: &Disk, output: Output<'_>) -> Result<()> {
        let instance = self.instance.as_mut().ok_or_else(|| Error::bug("a partition is not in memory"))?;
        self.queue.replay(&disk.inputs, &mut |input, rows| instance.on_batch(input, rows, output))?;
        self.bytes = instance.state_bytes();
        Ok(())
    }

    /// Writes its state to disk, and keeps what has changed if that may be asked for.
    pub(super) fn evict(&mut self, disk: &Disk, keeps_changes: bool) -> Result<()> {
        let Some(mut instance) = self.instance.take() else { return Ok(()) };
        if keeps_changes {
            write_out(instance.as_mut(), Scope::Changes, &mut self.changes, disk)?;
        }
        write_out(instance.as_mut(), Scope::All, &mut self.state, disk)
    }
}

/// Writes what an instance hands out.
pub(super) fn write_out(instance: &mut dyn Operator, scope: Scope, log: &mut Log, disk: &Disk) -> Result<()> {
    instance.snapshot(scope, &mut |table, rows| {
        log.append(table, rows);
        if log.memory() >= RUN { disk.write_state(log) } else { Ok(()) }
    })?;
    disk.write_state(log)
}

//! Sinks: a table that is upserted, a log that is written in transactions.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use async_trait::async_trait;
use sluice_connector_api::{CommitToken, Sink, SinkContext, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, CheckpointId, Error, Result, RowKind};

use super::world::{MemoryOptions, Row, World};

#[derive(Debug)]
pub(crate) struct MemorySink {
    pub(crate) world: World,
    pub(crate) name: String,
    pub(crate) options: MemoryOptions,
}

#[async_trait]
impl Sink for MemorySink {
    fn accepts(&self) -> ChangelogMode {
        ChangelogMode::RETRACT
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        if self.options.fault.as_deref() == Some("fix-open") {
            return Err(Error::fix("access denied").with_hint("grant it"));
        }
        self.world.faults.hook("sink open")?;
        let writer = MemoryWriter {
            world: self.world.clone(),
            name: self.name.clone(),
            options: self.options.clone(),
            subtask: context.subtask,
            rows: Vec::new(),
        };
        assert!(context.subtask == 0 || context.restored.is_empty());
        for token in &context.restored {
            writer.commit_token(token);
        }
        if self.options.fault.as_deref() == Some("panic-spawned") {
            context.spawner.spawn("worker", async { panic!("the worker fell over") });
        }
        Ok(Box::new(writer))
    }
}

struct MemoryWriter {
    world: World,
    name: String,
    options: MemoryOptions,
    subtask: usize,
    rows: Vec<Row>,
}

impl MemoryWriter {
    fn is_transactional(&self) -> bool {
        self.options.mode == "transactional"
    }

    fn apply(&mut self) {
        let mut world = self.world.lock();
        let table = world.tables.entry(self.name.clone()).or_default();
        for (kind, id, v) in self.rows.drain(..) {
            if kind.is_addition() {
                table.insert(id, v);
            } else {
                table.remove(&id);
            }
        }
    }

    /// Makes the rows of a token visible, once. A token is the subtask, the checkpoint and the rows.
    fn commit_token(&self, token: &[u8]) {
        let mut world = self.world.lock();
        if token.is_empty() || !world.committed.insert((self.name.clone(), token[..16].to_vec())) {
            return;
        }
        let log = world.logs.entry(self.name.clone()).or_default();
        for row in token[16..].chunks(17) {
            let number = |range: std::ops::Range<usize>| i64::from_le_bytes(row[range].try_into().unwrap());
            log.push((RowKind::from_byte(row[0]).unwrap(), number(1..9), number(9..17)));
        }
    }
}

#[async_trait]
impl SinkWriter for MemoryWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        self.world.faults.hook("sink write")?;
        match (self.options.mode.as_str(), self.options.fault.as_deref()) {
            ("hang", _) => std::future::pending().await,
            ("block", _) => std::thread::sleep(std::time::Duration::from_secs(12)),
            (_, Some("panic-write")) => panic!("the writer fell over"),
            (_, Some("fix-write")) => return Err(Error::fix("the target refused a row")),
            _ => {}
        }
        if let Some(delay) = self.options.delay {
            tokio::time::sleep(delay).await;
        }
        if let Some(delay) = self.options.row_delay {
            tokio::time::sleep(delay * batch.num_rows() as u32).await;
        }
        let now = std::time::Instant::now();
        let mut world = self.world.lock();
        *world.written.entry(self.name.clone()).or_default() += batch.num_rows() as u64;
        let ids = batch.rows().column(0).as_primitive::<Int64Type>();
        let values = batch.rows().column(1).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            self.rows.push((batch.kind(row), ids.value(row), values.value(row)));
            if let Some(read) = world.read_at.get(&values.value(row)).copied() {
                world.latencies.push(now.duration_since(read).as_nanos() as u64);
            }
        }
        Ok(())
    }

    async fn idle(&mut self) -> Result<()> {
        self.world.faults.hook("sink idle")?;
        if !self.is_transactional() {
            self.apply();
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.world.faults.hook("sink flush")?;
        if !self.is_transactional() {
            self.apply();
        }
        Ok(())
    }

    async fn prepare(&mut self, checkpoint: CheckpointId) -> Result<CommitToken> {
        self.flush().await?;
        self.world.faults.hook("sink prepare")?;
        if !self.is_transactional() || self.rows.is_empty() {
            return Ok(CommitToken::new());
        }
        let number = (self.name.clone(), self.subtask, checkpoint);
        assert!(self.world.lock().prepared.insert(number), "checkpoint {checkpoint} came twice");
        let mut token = [(self.subtask as u64).to_le_bytes(), checkpoint.to_le_bytes()].concat();
        for (kind, id, v) in self.rows.drain(..) {
            token.push(kind as u8);
            token.extend_from_slice(&id.to_le_bytes());
            token.extend_from_slice(&v.to_le_bytes());
        }
        Ok(token)
    }

    async fn commit(&mut self, _checkpoint: CheckpointId, token: &CommitToken) -> Result<()> {
        self.world.faults.hook("before sink commit")?;
        self.commit_token(token);
        self.world.faults.hook("after sink commit")
    }
}

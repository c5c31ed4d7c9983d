//! A source that reads a script, and goes on where it was.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use async_trait::async_trait;
use sluice_connector_api::{Source, SourceContext, SourceEvent, SourceReader};
use sluice_model::{ChangelogBatch, ChangelogMode, Result, RowKinds};

use super::world::{MemoryOptions, Row, World};

#[derive(Debug)]
pub(crate) struct ScriptSource {
    pub(crate) world: World,
    pub(crate) name: String,
    pub(crate) options: MemoryOptions,
}

#[async_trait]
impl Source for ScriptSource {
    fn changelog_mode(&self, _table: usize) -> ChangelogMode {
        ChangelogMode::RETRACT
    }

    fn max_parallelism(&self) -> Option<usize> {
        None
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        self.world.faults.hook("source open")?;
        let script = self.world.lock().scripts.get(&self.name).cloned().unwrap_or_default();
        let (subtask, parallelism) = (context.subtask as i64, context.parallelism as i64);
        let mine = |row: &&Row| row.1.rem_euclid(parallelism) == subtask;
        let rows: Vec<Row> = script.iter().filter(mine).copied().collect();
        // A position is the subtask and the number of rows behind it.
        let position = context
            .restored
            .iter()
            .map(|bytes| decode(bytes))
            .find(|(of, _)| *of == context.subtask as u64)
            .map_or(0, |(_, position)| position as usize);
        assert!(position <= rows.len());
        Ok(Box::new(ScriptReader {
            world: self.world.clone(),
            name: self.name.clone(),
            options: self.options.clone(),
            rows,
            position,
            subtask: context.subtask as u64,
        }))
    }
}

struct ScriptReader {
    world: World,
    name: String,
    options: MemoryOptions,
    rows: Vec<Row>,
    position: usize,
    subtask: u64,
}

#[async_trait]
impl SourceReader for ScriptReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        self.world.faults.hook("source next")?;
        if let Some(delay) = self.options.delay {
            tokio::time::sleep(delay).await;
        }
        if self.position == self.rows.len() {
            if self.options.bounded {
                return Ok(SourceEvent::End);
            }
            std::future::pending::<()>().await;
        }
        let end = (self.position + self.options.batch).min(self.rows.len());
        let rows = &self.rows[self.position..end];
        self.position = end;
        let mut world = self.world.lock();
        *world.read.entry(self.name.clone()).or_default() += rows.len() as u64;
        world.read_at.extend(rows.iter().map(|row| (row.2, Instant::now())));
        Ok(SourceEvent::Batch { table: 0, batch: to_batch(rows) })
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        self.world.faults.hook("source position")?;
        Ok([self.subtask.to_le_bytes(), (self.position as u64).to_le_bytes()].concat())
    }

    async fn checkpoint_completed(&mut self, position: &[u8]) -> Result<()> {
        let (_, position) = decode(position);
        let dir = self.world.lock().checkpoints.clone();
        if let Some(dir) = dir {
            let durable = sluice_state::open(&dir, &sluice_state::S3Options::default()).await?;
            let mine = |state: &&sluice_state::TaskState| state.id == self.name && state.subtask as u64 == self.subtask;
            let durable = durable.states.iter().find(mine).map(|state| decode(&state.content.load().unwrap()).1);
            assert!(durable >= Some(position), "acknowledged {position}, durable is {durable:?}");
        }
        let key = format!("{}/{}", self.name, self.subtask);
        let before = self.world.lock().acknowledged.insert(key, position);
        assert!(before <= Some(position), "acknowledged {position} after {before:?}");
        self.world.faults.hook("source acknowledge")
    }
}

fn decode(bytes: &[u8]) -> (u64, u64) {
    let number = |range: std::ops::Range<usize>| u64::from_le_bytes(bytes[range].try_into().unwrap());
    (number(0..8), number(8..16))
}

pub(crate) fn to_batch(rows: &[Row]) -> ChangelogBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
    let columns = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("v", values, true)]).unwrap();
    let kinds: Vec<u8> = rows.iter().map(|row| row.0 as u8).collect();
    ChangelogBatch::try_new(columns, Some(RowKinds::from(kinds))).unwrap()
}

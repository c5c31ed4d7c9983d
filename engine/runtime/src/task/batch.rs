//! A task that runs a whole query over the rows of its inputs.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use futures::StreamExt;
use sluice_batch::{Feed, Inputs};
use sluice_model::{Barrier, ChangelogBatch, Error, Result, StreamElement};
use sluice_plan::Batch;

use super::{TaskLink, Timing};
use crate::chain::Chain;
use crate::gate::{Gate, GateEvent};
use crate::metrics::Activity;
use crate::output::Outputs;

/// The one subtask of a batch query.
pub(crate) struct BatchTask {
    pub(crate) query: Arc<Batch>,
    /// Schemas of the inputs, with the columns named as the query names them.
    pub(crate) inputs: Vec<SchemaRef>,
    /// Schema of the result.
    pub(crate) output: SchemaRef,
    pub(crate) gate: Gate,
    pub(crate) chain: Chain,
    pub(crate) outputs: Outputs,
    pub(crate) link: TaskLink,
}

impl BatchTask {
    /// The schemas of inputs as the query knows them.
    pub(crate) fn tables(inputs: impl Iterator<Item = SchemaRef>) -> Vec<SchemaRef> {
        let named = |(index, field): (usize, &FieldRef)| field.as_ref().clone().with_name(Batch::column_name(index));
        let table = |input: SchemaRef| Schema::new(input.fields().iter().enumerate().map(named).collect::<Vec<_>>());
        inputs.map(|input| Arc::new(table(input))).collect()
    }

    /// Works until the query is done and all producers are gone.
    pub(crate) async fn run(mut self) -> Result<()> {
        let tables = self.inputs.iter().enumerate();
        let tables = tables.map(|(input, schema)| (Batch::input_name(input), Arc::clone(schema)));
        let (inputs, feed) = Inputs::new(tables.collect());
        let mut rows = sluice_batch::execute(&self.query.query, inputs, self.query.threads).await?;
        let (mut is_begun, mut is_fed) = (false, false);
        let mut sent = Vec::new();
        loop {
            let metrics = &self.link.metrics;
            let has_room = async {
                feed.room().await;
                self.gate.next().await
            };
            tokio::select! {
                event = has_room, if !is_fed => match event? {
                    GateEvent::Barrier(barrier) if !is_begun => self.pass(barrier).await,
                    event => {
                        is_begun = true;
                        is_fed = self.feed(&feed, event)?;
                    }
                },
                batch = rows.next() => {
                    let Some(batch) = batch else { break };
                    let batch = with_schema(&batch?, &self.output)?;
                    metrics.clock.enter(Activity::Busy);
                    self.chain.push(0, ChangelogBatch::append(batch), &mut sent)?;
                    self.outputs.send_all(&mut sent).await?;
                    self.link.metrics.clock.enter(Activity::Idle);
                }
            }
        }
        self.chain.advance(i64::MAX, &mut sent)?;
        self.outputs.send_all(&mut sent).await?;
        while self.chain.catch_up(&mut sent)? {
            self.outputs.send_all(&mut sent).await?;
        }
        self.outputs.broadcast(StreamElement::End).await;
        self.link.ended();
        loop {
            match self.gate.next().await? {
                GateEvent::Closed => return Ok(()),
                GateEvent::Barrier(barrier) => self.pass(barrier).await,
                // A query with a LIMIT may be done before its inputs are.
                GateEvent::Batch { .. } | GateEvent::Watermark(_) | GateEvent::Idle(_) | GateEvent::End => {}
            }
        }
    }

    /// In front of the first row and behind the last there is nothing that a checkpoint would have to
    /// hold: so a job can begin and end.
    async fn pass(&mut self, barrier: Barrier) {
        self.outputs.broadcast(StreamElement::Barrier(barrier)).await;
        self.link.acknowledge(barrier.checkpoint, None, Vec::new(), Timing::aligned(self.gate.arrived()));
    }

    /// Hands an event on to the query; true if no rows will follow.
    fn feed(&self, feed: &Feed, event: GateEvent) -> Result<bool> {
        match event {
            GateEvent::Batch { input, batch } => {
                self.link.metrics.records_in.add(batch.num_rows() as u64);
                self.link.metrics.bytes_in.add(batch.memory_size() as u64);
                let schema = self.inputs.get(input).ok_or_else(|| Error::bug("rows of no input"))?;
                feed.push(input, with_schema(batch.rows(), schema)?);
                Ok(false)
            }
            // Time decides nothing where all rows are there.
            GateEvent::Watermark(_) | GateEvent::Idle(_) => Ok(false),
            GateEvent::Barrier(_) => Err(Error::bug("a checkpoint in the middle of a batch query")),
            GateEvent::End | GateEvent::Closed => {
                feed.end();
                Ok(true)
            }
        }
    }
}

/// The same columns under other names.
fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch.columns().to_vec();
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(Error::from_arrow)
}

//! Reads what is registered.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_connector_api::{Source, SourceContext, SourceEvent, SourceReader, SourceTable};
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result, SplitId, SplitStatus};

use crate::data::SourceData;
use crate::{Kinds, ValuesOptions};

#[derive(Debug)]
pub(crate) struct ValuesSource {
    table: SourceTable<ValuesOptions>,
    mode: ChangelogMode,
}

impl ValuesSource {
    pub(crate) fn new(table: SourceTable<ValuesOptions>) -> Result<Self> {
        let mode = match table.options.changelog_mode {
            Some(Kinds(mode)) => mode,
            None => SourceData::find(&table.options.data_id)?.changelog_mode(),
        };
        Ok(Self { table, mode })
    }
}

#[async_trait]
impl Source for ValuesSource {
    fn changelog_mode(&self, _table: usize) -> ChangelogMode {
        self.mode
    }

    fn is_bounded(&self) -> bool {
        self.table.options.bounded
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        let next = match context.restored.first() {
            None => 0,
            Some(position) => read_position(position)?,
        };
        let (data, options) = (SourceData::find(&self.table.options.data_id)?, &self.table.options);
        let splits = options.splits.filter(|splits| *splits > 0);
        let has_rows = |split: &u32| {
            let mut batches = (next..).take_while(|batch| data.batch(*batch).is_some());
            !options.bounded || batches.any(|batch| splits.is_some_and(|splits| split_of(batch, splits) == *split))
        };
        let begun = (0..splits.unwrap_or(0)).filter(has_rows).map(|split| (split, SplitStatus::Begun)).collect();
        Ok(Box::new(ValuesReader {
            data,
            schema: self.table.output_schema(),
            bounded: self.table.options.bounded,
            splits,
            untold: begun,
            next,
        }))
    }
}

fn read_position(position: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(position).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::bug("a position of 'values' cannot be read"))
}

/// Batches are dealt in turn.
fn split_of(batch: usize, splits: u32) -> SplitId {
    u32::try_from(batch % splits as usize).unwrap_or_default()
}

struct ValuesReader {
    data: Arc<SourceData>,
    schema: SchemaRef,
    bounded: bool,
    splits: Option<u32>,
    /// What nobody was told of splits yet.
    untold: VecDeque<(SplitId, SplitStatus)>,
    /// Number of the batch that is next.
    next: usize,
}

impl ValuesReader {
    /// The wanted columns, by name.
    fn project(&self, batch: &ChangelogBatch) -> Result<ChangelogBatch> {
        let schema = batch.schema();
        let columns = self.schema.fields().iter().map(|field| {
            schema.index_of(field.name()).map_err(|_| {
                Error::fix(format!("the registered batches have no column '{}'", field.name()))
                    .with_hint("register batches with the columns of the table")
            })
        });
        batch.project(&columns.collect::<Result<Vec<_>>>()?)?.with_schema(Arc::clone(&self.schema)).map_err(|error| {
            Error::fix("the registered batches do not have the types of the table").because(error.to_string())
        })
    }
}

#[async_trait]
impl SourceReader for ValuesReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        if let Some((split, status)) = self.untold.pop_front() {
            return Ok(SourceEvent::Split { table: 0, split, status });
        }
        let batch = match self.data.batch(self.next) {
            Some(batch) => batch,
            None if self.bounded => return Ok(SourceEvent::End),
            None => self.data.wait_for(self.next).await,
        };
        let batch = self.project(&batch)?;
        let number = self.next;
        self.next += 1;
        let Some(splits) = self.splits else { return Ok(SourceEvent::Batch { table: 0, batch }) };
        let split = split_of(number, splits);
        if self.bounded && self.data.batch(number + splits as usize).is_none() {
            self.untold.push_back((split, SplitStatus::Finished));
        }
        Ok(SourceEvent::SplitBatch { table: 0, split, batch })
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        Ok(self.next.to_string().into_bytes())
    }
}

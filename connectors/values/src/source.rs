//! Reads what is registered.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_connector_api::{Source, SourceContext, SourceEvent, SourceReader, SourceTable};
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result};

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
        Ok(Box::new(ValuesReader {
            data: SourceData::find(&self.table.options.data_id)?,
            schema: self.table.output_schema(),
            bounded: self.table.options.bounded,
            next,
        }))
    }
}

fn read_position(position: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(position).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::bug("a position of 'values' cannot be read"))
}

struct ValuesReader {
    data: Arc<SourceData>,
    schema: SchemaRef,
    bounded: bool,
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
        let batch = match self.data.batch(self.next) {
            Some(batch) => batch,
            None if self.bounded => return Ok(SourceEvent::End),
            None => self.data.wait_for(self.next).await,
        };
        let batch = self.project(&batch)?;
        self.next += 1;
        Ok(SourceEvent::Batch { table: 0, batch })
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        Ok(self.next.to_string().into_bytes())
    }
}

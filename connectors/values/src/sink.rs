//! Keeps what is written.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use sluice_connector_api::{Sink, SinkContext, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result};

use crate::data::append_sink;

#[derive(Debug)]
pub(crate) struct ValuesSink {
    pub(crate) data_id: String,
    pub(crate) schema: SchemaRef,
    pub(crate) parallelism: Option<usize>,
}

#[async_trait]
impl Sink for ValuesSink {
    fn accepts(&self) -> ChangelogMode {
        ChangelogMode::RETRACT
    }

    fn parallelism(&self) -> Option<usize> {
        self.parallelism
    }

    async fn open(&self, _context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(ValuesWriter { data_id: self.data_id.clone(), schema: Arc::clone(&self.schema) }))
    }
}

struct ValuesWriter {
    data_id: String,
    schema: SchemaRef,
}

#[async_trait]
impl SinkWriter for ValuesWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        // Connectors rely on the types of the table, and so is checked here what every test writes.
        for (found, declared) in batch.schema().fields().iter().zip(self.schema.fields()) {
            if !found.data_type().equals_datatype(declared.data_type()) {
                let (found, name) = (found.data_type(), declared.name());
                return Err(Error::bug(format!("column '{name}' is {}, and {found} is written", declared.data_type())));
            }
        }
        append_sink(&self.data_id, batch);
        Ok(())
    }
}

//! Keeps what is written.

use async_trait::async_trait;
use sluice_connector_api::{Sink, SinkContext, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, Result};

use crate::data::append_sink;

#[derive(Debug)]
pub(crate) struct ValuesSink {
    pub(crate) data_id: String,
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
        Ok(Box::new(ValuesWriter { data_id: self.data_id.clone() }))
    }
}

struct ValuesWriter {
    data_id: String,
}

#[async_trait]
impl SinkWriter for ValuesWriter {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        append_sink(&self.data_id, batch);
        Ok(())
    }
}

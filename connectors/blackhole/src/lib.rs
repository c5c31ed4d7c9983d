//! The `blackhole` connector takes every changelog and keeps nothing: the shape of all connectors.

use async_trait::async_trait;
use sluice_connector_api::{Connector, ConnectorInfo, NoOptions, Sink, SinkContext, SinkTable, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, Result};
use std::sync::Arc;

/// Connector, sink and writer in one: there is nothing to remember between them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blackhole;

impl Connector for Blackhole {
    const NAME: &'static str = "blackhole";
    type Options = NoOptions;
    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_sink: true, ..ConnectorInfo::default() }
    }
    fn sink(&self, _options: NoOptions, _table: SinkTable) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(Self))
    }
}

#[async_trait]
impl Sink for Blackhole {
    fn accepts(&self) -> ChangelogMode {
        ChangelogMode::UPSERT
    }
    async fn open(&self, _context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl SinkWriter for Blackhole {
    async fn write(&mut self, _batch: ChangelogBatch) -> Result<()> {
        Ok(())
    }
}

//! The `filesystem` connector: tables in files of a local folder.
//!
//! ```text
//! CREATE TABLE bids (id BIGINT, dt STRING) PARTITIONED BY (dt)
//!   WITH ('connector' = 'filesystem', 'path' = 'file:///data/bids', 'format' = 'csv')
//! +I 7 2020-01-01    ─►    /data/bids/dt=2020-01-01/part-<writer>-0-0    7
//! ```
//!
//! A source reads the files that are there, or with `source.monitor-interval` those that come as well;
//! its position is how far it is in each file. A sink writes hidden files and renames them when the
//! checkpoint that holds their rows is durable: a row is seen once, whatever fails. A lookup keeps all
//! rows in memory, by key.

mod lookup;
mod options;
mod partition;
mod path;
mod rows;
mod sink;
mod source;
mod trigger;
mod writer;

use std::sync::Arc;

use sluice_connector_api::{
    Connector, ConnectorInfo, FormatSlot, LookupSource, LookupTable, MetadataColumn, OptionReader, Sink, SinkTable,
    Source, SourceTable, TableDefinition,
};
use sluice_model::{Error, Result, SqlType};

pub use options::{CommitTrigger, FilesystemOptions};

/// The `filesystem` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filesystem;

impl Connector for Filesystem {
    const NAME: &'static str = "filesystem";
    type Options = FilesystemOptions;

    fn info(&self) -> ConnectorInfo {
        let text = |key| MetadataColumn { key, data_type: SqlType::STRING, nullable: false };
        let metadata = vec![
            text("file.path"),
            text("file.name"),
            MetadataColumn { key: "file.size", data_type: SqlType::BigInt, nullable: false },
            MetadataColumn { key: "file.modification-time", data_type: SqlType::TimestampLtz(3), nullable: false },
        ];
        ConnectorInfo {
            formats: vec![FormatSlot { option: "format", prefix: "", required: true }],
            files: true,
            metadata,
            is_source: true,
            is_sink: true,
            is_lookup: true,
            ..ConnectorInfo::default()
        }
    }

    fn validate(&self, options: &FilesystemOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        options.check(table, reader);
    }

    fn source(&self, mut tables: Vec<SourceTable<FilesystemOptions>>) -> Result<Arc<dyn Source>> {
        let (Some(table), true) = (tables.pop(), tables.is_empty()) else {
            return Err(Error::bug("connector 'filesystem' reads one table at a time"));
        };
        Ok(Arc::new(source::FileSource::new(table)?))
    }

    fn sink(&self, options: FilesystemOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(sink::FileSink::new(options, &table)?))
    }

    fn lookup(&self, table: LookupTable<FilesystemOptions>) -> Result<Arc<dyn LookupSource>> {
        Ok(Arc::new(lookup::FileLookup::new(table)?))
    }
}

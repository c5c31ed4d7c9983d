//! The connector and its source, before anything is connected.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{
    Connector, ConnectorInfo, MetadataColumn, OptionReader, Source, SourceContext, SourceReader, SourceTable,
    TableDefinition,
};
use sluice_model::{ChangelogMode, Error, Result, SqlType};

use crate::feed::Feed;
use crate::options::{MysqlCdcOptions, Passthrough, ServerIds, StartupMode};
use crate::reader;

/// The connector `mysql-cdc`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MysqlCdc;

impl Connector for MysqlCdc {
    const NAME: &'static str = "mysql-cdc";
    type Options = MysqlCdcOptions;

    fn info(&self) -> ConnectorInfo {
        let column = |key, data_type| MetadataColumn { key, data_type, nullable: false };
        ConnectorInfo {
            metadata: vec![
                column("table_name", SqlType::STRING),
                column("database_name", SqlType::STRING),
                column("op_ts", SqlType::TimestampLtz(3)),
                column("row_kind", SqlType::STRING),
            ],
            is_source: true,
            ..ConnectorInfo::default()
        }
    }

    fn validate(&self, options: &MysqlCdcOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        options.check(table, reader);
    }

    fn sharing_key(&self, options: &MysqlCdcOptions) -> Option<String> {
        let mode = options.startup(&Passthrough::of(&options.extra));
        // Tables share a connection if they may start at the same place and end at the same time.
        let start = match mode {
            StartupMode::Initial | StartupMode::LatestOffset => "live".to_owned(),
            StartupMode::Snapshot | StartupMode::EarliestOffset => format!("{mode:?}"),
            StartupMode::SpecificOffset => {
                format!("{:?}/{:?}/{:?}", options.offset_file, options.offset_pos, options.offset_gtid_set)
            }
            StartupMode::Timestamp => format!("{:?}", options.timestamp_millis),
        };
        Some(format!("{}@{}:{}/{start}", options.username, options.hostname.to_ascii_lowercase(), options.port))
    }

    fn source(&self, tables: Vec<SourceTable<MysqlCdcOptions>>) -> Result<Arc<dyn Source>> {
        if tables.is_empty() {
            return Err(Error::bug("a mysql-cdc source without tables"));
        }
        let drawn = RandomState::new().build_hasher().finish();
        let server_ids =
            tables.iter().find_map(|table| table.options.server_id).unwrap_or_else(|| ServerIds::drawn(drawn));
        Ok(Arc::new(MysqlCdcSource { tables, server_ids }))
    }
}

/// A planned source.
#[derive(Debug)]
pub(crate) struct MysqlCdcSource {
    pub(crate) tables: Vec<SourceTable<MysqlCdcOptions>>,
    pub(crate) server_ids: ServerIds,
}

#[async_trait]
impl Source for MysqlCdcSource {
    fn changelog_mode(&self, table: usize) -> ChangelogMode {
        self.tables.get(table).map_or(ChangelogMode::RETRACT, |table| Feed::mode(&table.options, table.changelog))
    }

    fn is_bounded(&self) -> bool {
        self.tables
            .iter()
            .all(|table| table.options.startup(&Passthrough::of(&table.options.extra)) == StartupMode::Snapshot)
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        reader::open(self, context).await
    }
}

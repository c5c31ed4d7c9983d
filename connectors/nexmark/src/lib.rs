//! The `nexmark` connector: the auction house of the Nexmark benchmark.
//!
//! ```text
//! CREATE TABLE t (event_type INT, bid ROW<auction BIGINT, bidder BIGINT, price BIGINT>)
//!   WITH ('connector' = 'nexmark', 'events.num' = '4')
//! +I 1 NULL / +I 1 NULL
//! +I 2 {auction: 1012, bidder: 2001, price: 2105} / +I 2 {auction: 1009, bidder: 2001, price: 4102893}
//! ```
//!
//! Persons open auctions, and persons bid for them; a row is one such event. Ids, times, proportions,
//! hot keys and texts follow the rules of the generator of nexmark-flink
//! (<https://github.com/nexmark/nexmark>), draw for draw. An event's values depend on its id alone:
//! a table is the same in every run, and a restored source goes on exactly where it was.
//!
//! Made are the columns and the fields of `ROW`s that the table has, and no others.

mod auction;
mod bid;
mod columns;
mod options;
mod person;
mod prices;
mod progress;
mod random;
mod reader;
mod rules;
mod strings;
mod table;
mod timeline;

use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{
    Connector, ConnectorInfo, OptionReader, Source, SourceContext, SourceReader, SourceTable, TableDefinition,
};
use sluice_model::{ChangelogMode, Error, Result};

pub use options::{BaseTime, NexmarkOptions, RateShape};
use progress::Progress;
use reader::NexmarkReader;
use table::Table;

/// The `nexmark` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nexmark;

impl Connector for Nexmark {
    const NAME: &'static str = "nexmark";
    type Options = NexmarkOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_source: true, narrows_rows: true, ..ConnectorInfo::default() }
    }

    fn validate(&self, options: &NexmarkOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        options.check(reader);
        if let Err(refusal) = Table::new(&table.schema) {
            reader.reject("connector", refusal.what, refusal.hint);
        }
    }

    fn source(&self, mut tables: Vec<SourceTable<NexmarkOptions>>) -> Result<Arc<dyn Source>> {
        let (Some(table), true) = (tables.pop(), tables.is_empty()) else {
            return Err(Error::bug("connector 'nexmark' reads one table at a time"));
        };
        let columns = Table::new(&table.schema).map_err(|refusal| Error::fix(refusal.what).with_hint(refusal.hint))?;
        Ok(Arc::new(NexmarkSource { columns, table }))
    }
}

#[derive(Debug)]
struct NexmarkSource {
    columns: Table,
    table: SourceTable<NexmarkOptions>,
}

#[async_trait]
impl Source for NexmarkSource {
    fn changelog_mode(&self, _table: usize) -> ChangelogMode {
        ChangelogMode::APPEND
    }

    fn is_bounded(&self) -> bool {
        self.table.options.is_bounded()
    }

    fn max_parallelism(&self) -> Option<usize> {
        None
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        let options = &self.table.options;
        let rules = options.rules();
        let progress = Progress::restore(&context.restored, context.subtask, context.parallelism, &rules)?;
        Ok(Box::new(NexmarkReader {
            rules,
            table: self.columns.clone(),
            schema: self.table.output_schema(),
            progress,
            paced_since: options.is_paced().then(|| context.clock.now_millis()),
            keep_alive: options.keep_alive,
            clock: context.clock,
        }))
    }
}

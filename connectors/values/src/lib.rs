//! The `values` connector: tables in the memory of the process, for tests.
//!
//! ```
//! use sluice_model::from_pretty;
//! sluice_values::register_source("orders", vec![from_pretty("id INT", "+I 1 / +I 2"), from_pretty("id INT", "-D 1")]);
//! // CREATE TABLE orders (id INT) WITH ('connector' = 'values', 'data-id' = 'orders');
//! // CREATE TABLE result (id INT) WITH ('connector' = 'values', 'data-id' = 'result');
//! // INSERT INTO result SELECT * FROM orders;
//! assert!(sluice_values::sink_rows("result").is_empty());
//! ```
//!
//! A source delivers the batches that were registered under its `data-id`, one by one; its position
//! is the number of batches delivered, so that a job that is killed goes on where its checkpoint
//! says. With `'splits' = '2'` every second batch is of split 1, as if two partitions were read side by side.
//! A sink keeps what was written in the order in which it was written, repetitions included.

mod data;
mod sink;
mod source;

use std::sync::Arc;

use sluice_connector_api::{Connector, ConnectorInfo, OptionValues, Sink, SinkTable, Source, SourceTable};
use sluice_model::{ChangelogMode, Error, Result};

pub use data::{append_source, clear_sink, materialized, register_source, sink_contents, sink_rows};

sluice_connector_api::options! {
    /// Options of `values`.
    pub struct ValuesOptions {
        /// Under which name batches are registered and kept.
        "data-id" => data_id: String,
        /// Whether a source ends behind its last batch, instead of waiting for more.
        "bounded" => bounded: bool = true,
        /// The kinds that a source delivers: `I`, `I,UA,D` or `I,UB,UA,D`. By default, as the
        /// registered batches say.
        "changelog-mode" => changelog_mode: Option<Kinds>,
        /// Number of splits that a source deals its batches to in turn, instead of none.
        "splits" => splits: Option<u32>,
        /// Number of writers.
        "sink.parallelism" => sink_parallelism: Option<usize>,
    }
}

/// A changelog mode, as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(pub ChangelogMode);

impl OptionValues for Kinds {
    const VALUES: &'static [(&'static str, Self)] = &[
        ("I", Self(ChangelogMode::APPEND)),
        ("I,UA,D", Self(ChangelogMode::UPSERT)),
        ("I,UB,UA,D", Self(ChangelogMode::RETRACT)),
    ];
}

/// The `values` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Values;

impl Connector for Values {
    const NAME: &'static str = "values";
    type Options = ValuesOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_source: true, is_sink: true, ..ConnectorInfo::default() }
    }

    fn source(&self, mut tables: Vec<SourceTable<ValuesOptions>>) -> Result<Arc<dyn Source>> {
        let (Some(table), true) = (tables.pop(), tables.is_empty()) else {
            return Err(Error::bug("connector 'values' reads one table at a time"));
        };
        Ok(Arc::new(source::ValuesSource::new(table)?))
    }

    fn sink(&self, options: ValuesOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        let ValuesOptions { data_id, sink_parallelism, .. } = options;
        Ok(Arc::new(sink::ValuesSink { data_id, schema: table.schema.to_arrow(), parallelism: sink_parallelism }))
    }
}

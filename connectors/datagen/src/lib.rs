//! The `datagen` connector: a source of made-up rows.
//!
//! ```text
//! CREATE TABLE t (id INT, name STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '3',
//!   'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '9', 'fields.name.length' = '4')
//! +I 1 9f0c / +I 2 03be / +I 3 d1a7
//! ```
//!
//! Row number n of a table is the same in every run and on every subtask: a value is a function of
//! its column's name and n. So a source that is restored goes on exactly where it was, at any
//! parallelism. Only `DATE`, `TIME` and `TIMESTAMP` columns show the time at which a row was made.

mod bounds;
mod columns;
mod fields;
mod progress;
mod random;
mod reader;

use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{
    Connector, ConnectorInfo, OptionReader, Source, SourceContext, SourceReader, SourceTable, TableDefinition,
};
use sluice_model::{ChangelogMode, Error, Result};

use fields::{Field, check_fields, rows_of_sequences};
use progress::Progress;
use reader::DatagenReader;

sluice_connector_api::options! {
    /// Options of `datagen`.
    ///
    /// | below `fields.<column>.` | default | meaning |
    /// |---|---|---|
    /// | `kind` | `random` | `random` or `sequence` |
    /// | `min`, `max` | those of the type | bounds of random numbers, inclusive |
    /// | `max-past` | `0` | how old a random timestamp may be |
    /// | `length` | 100, for collections 3 | length of strings, bytes, arrays and maps |
    /// | `var-len` | `false` | lengths from 1 to `length` |
    /// | `start`, `end` | | bounds of a sequence, inclusive; the table ends with it |
    /// | `null-rate` | `0` | share of NULLs, from 0 to 1 |
    pub struct DatagenOptions {
        /// Rows a second, of all subtasks together.
        "rows-per-second" => rows_per_second: u64 = 10_000u64,
        /// Rows in all; without it, and without a sequence, the table has no end.
        "number-of-rows" => number_of_rows: Option<u64>,
        /// Number of readers.
        "scan.parallelism" => scan_parallelism: Option<usize>,
    }
    prefixes: ["fields."]
}

/// The `datagen` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Datagen;

impl Connector for Datagen {
    const NAME: &'static str = "datagen";
    type Options = DatagenOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_source: true, ..ConnectorInfo::default() }
    }

    fn validate(&self, options: &DatagenOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        // The columns that are wanted may be fewer than those that have options.
        check_fields(&table.declared, &options.extra, reader);
        if options.rows_per_second == 0 {
            let what = "'rows-per-second' must be greater than zero".to_owned();
            reader.reject("rows-per-second", what, "leave it out for 10000 rows a second");
        }
    }

    fn source(&self, mut tables: Vec<SourceTable<DatagenOptions>>) -> Result<Arc<dyn Source>> {
        let (Some(table), true) = (tables.pop(), tables.is_empty()) else {
            return Err(Error::bug("connector 'datagen' reads one table at a time"));
        };
        let sequences = rows_of_sequences(&table.options.extra);
        let total = [table.options.number_of_rows, sequences].into_iter().flatten().min();
        Ok(Arc::new(DatagenSource { total, table }))
    }
}

#[derive(Debug)]
struct DatagenSource {
    /// Rows of the table, if it has an end.
    total: Option<u64>,
    table: SourceTable<DatagenOptions>,
}

#[async_trait]
impl Source for DatagenSource {
    fn changelog_mode(&self, _table: usize) -> ChangelogMode {
        ChangelogMode::APPEND
    }

    fn is_bounded(&self) -> bool {
        self.total.is_some()
    }

    fn max_parallelism(&self) -> Option<usize> {
        None
    }

    fn parallelism(&self) -> Option<usize> {
        self.table.options.scan_parallelism
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        let fields = Field::of_table(&self.table.schema, &self.table.options.extra)?;
        let progress = Progress::restore(&context.restored, context.subtask, context.parallelism, self.total)?;
        let rate = self.table.options.rows_per_second as f64 / context.parallelism.max(1) as f64;
        Ok(Box::new(DatagenReader::new(self.table.output_schema(), fields, progress, rate, context.clock)))
    }
}

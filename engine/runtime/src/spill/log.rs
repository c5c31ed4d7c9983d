//! Rows in their order, partly on disk: the state of a partition, what has changed of it, or what
//! waits for it.
//!
//! ```text
//! append(left, 2 rows)  append(left, 1 row)  append(right, 3 rows)   in memory: left 3, right 3
//! write                                                              a run:     left 3, right 3
//! append(left, 1 row)                                                the run, and in memory left 1
//! replay                left 3, right 3, left 1
//! ```

use std::sync::Arc;

use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_operators::StateTable;

use super::file::{Run, SpillFile};
use crate::state_tables::{Origin, bytes_of, read_tables, write_table};

/// Batches are put together up to so many rows, and to so many bytes.
const MERGED_ROWS: usize = 8192;
const MERGED_BYTES: usize = 4 << 20;

/// What the rows of a log are rows of, by number: name and columns.
#[derive(Debug)]
pub(super) struct Tables(pub(super) Vec<(String, SchemaRef)>);

impl Tables {
    /// Those of an operator's state.
    pub(super) fn of_state(tables: &[StateTable]) -> Self {
        Self(tables.iter().map(|table| (table.name.clone(), Arc::clone(&table.schema))).collect())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    runs: Vec<Arc<Run>>,
    tail: Vec<(usize, ChangelogBatch)>,
    tail_bytes: usize,
}

impl Log {
    /// Adds rows.
    pub(super) fn append(&mut self, table: usize, rows: ChangelogBatch) {
        if !rows.is_empty() {
            self.tail_bytes += bytes_of(&rows);
            self.tail.push((table, rows));
        }
    }

    /// Memory of what is not on disk.
    pub(super) fn memory(&self) -> usize {
        self.tail_bytes
    }

    /// Bytes in memory and on disk.
    pub(super) fn len(&self) -> usize {
        self.tail_bytes + self.runs.iter().map(|run| run.len()).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.runs.is_empty()
    }

    /// Writes what is not on disk; the number of bytes written.
    ///
    /// # Errors
    /// The disk is full, or broken.
    pub(super) fn write(&mut self, file: &Arc<SpillFile>, tables: &Tables) -> Result<usize> {
        if self.tail.is_empty() {
            return Ok(0);
        }
        self.tail_bytes = 0;
        let mut bytes = Vec::new();
        let mut stream: Option<(usize, Vec<ChangelogBatch>)> = None;
        let mut close = |stream: Option<(usize, Vec<ChangelogBatch>)>| {
            let Some((table, batches)) = stream else { return Ok(()) };
            let (name, schema) = tables.0.get(table).ok_or_else(no_such_table)?;
            write_table(&mut bytes, name, schema, &batches)
        };
        merged(std::mem::take(&mut self.tail), &mut |table, rows| match &mut stream {
            Some((open, batches)) if *open == table => {
                batches.push(rows);
                Ok(())
            }
            _ => close(stream.replace((table, vec![rows]))),
        })?;
        close(stream)?;
        self.runs.push(Arc::new(file.write(&bytes)?));
        Ok(bytes.len())
    }

    /// All rows in their order, which leave the log.
    ///
    /// # Errors
    /// The disk is broken, or whatever `each` returns.
    pub(super) fn replay(
        &mut self,
        tables: &Tables,
        each: &mut dyn FnMut(usize, ChangelogBatch) -> Result<()>,
    ) -> Result<()> {
        let Self { runs, tail, .. } = std::mem::take(self);
        for run in runs {
            let mut bytes = Vec::new();
            run.read(&mut bytes)?;
            let origin = Origin { id: "spilled", subtask: 0 };
            let names = tables.0.iter().map(|(name, schema)| (name.as_str(), schema));
            let mut outcome = Ok(());
            let read = read_tables(bytes.as_slice(), &names.collect::<Vec<_>>(), origin, &mut |table, rows| {
                if outcome.is_ok() {
                    outcome = each(table, rows);
                }
                Ok(())
            });
            read.map_err(|error| run.file().damaged(error.to_string()))?;
            outcome?;
        }
        merged(tail, each)
    }

    /// The runs, if everything is on disk.
    pub(super) fn runs(&self) -> &[Arc<Run>] {
        debug_assert!(self.tail.is_empty());
        &self.runs
    }
}

fn no_such_table() -> Error {
    Error::bug("spilled rows of no table")
}

/// Puts small batches of a table together where no other is between them.
fn merged(
    batches: Vec<(usize, ChangelogBatch)>,
    each: &mut dyn FnMut(usize, ChangelogBatch) -> Result<()>,
) -> Result<()> {
    let mut open: Vec<ChangelogBatch> = Vec::new();
    let (mut table, mut rows, mut bytes) = (0, 0, 0);
    let mut close = |table: usize, open: Vec<ChangelogBatch>| match <[ChangelogBatch; 1]>::try_from(open) {
        Ok([only]) => each(table, only),
        Err(open) => ChangelogBatch::concat(&open)?.map_or(Ok(()), |rows| each(table, rows)),
    };
    for (number, batch) in batches {
        let size = bytes_of(&batch);
        if number != table || rows + batch.num_rows() > MERGED_ROWS || bytes + size > MERGED_BYTES {
            close(table, std::mem::take(&mut open))?;
            (table, rows, bytes) = (number, 0, 0);
        }
        rows += batch.num_rows();
        bytes += size;
        open.push(batch);
    }
    close(table, open)
}

#[cfg(test)]
mod tests {
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    #[test]
    fn rows_come_back_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let file = Arc::new(SpillFile::create(directory.path()).unwrap());
        let schema = from_pretty("id BIGINT, v STRING", "").schema();
        let tables = Tables(vec![("left".to_owned(), Arc::clone(&schema)), ("right".to_owned(), schema)]);
        let mut log = Log::default();
        let rows = |text: &str| from_pretty("id BIGINT, v STRING", text);
        log.append(0, rows("+I 1 a / -U 1 a"));
        log.append(0, rows("+U 1 b"));
        log.append(1, rows("-D 7 NULL"));
        assert!(log.memory() > 0 && log.write(&file, &tables).unwrap() > 0);
        assert_eq!((log.memory(), log.runs().len()), (0, 1));
        log.append(1, rows(""));
        log.append(1, rows("+I 8 x"));
        log.append(0, rows("+I 2 y"));
        let mut replayed = Vec::new();
        log.replay(&tables, &mut |table, rows| {
            replayed.push(format!("{table}: {}", to_pretty(&rows)));
            Ok(())
        })
        .unwrap();
        assert_eq!(replayed, ["0: +I 1 a / -U 1 a / +U 1 b", "1: -D 7 NULL", "1: +I 8 x", "0: +I 2 y"]);
        assert!(log.is_empty() && log.memory() == 0);
    }
}

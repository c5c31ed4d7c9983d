//! Rows events into batches.
//!
//! The wire is row-major: per row a bitmap of NULLs, then the values of the columns that are not NULL. So the loop is
//! rows outside, columns inside, over steps that were decided when the table map came ([`plan`], [`program`]).

mod cell;
mod options;
mod plan;
mod program;
mod walk;

use std::sync::Arc;

use arrow_schema::DataType;

use crate::batch::{RowBatchBuilder, UpdateMode, kind};
use crate::cell_error::{explain, invalid_text};
use crate::column::TargetColumn;
use crate::error::{DecodeError, Result};
use crate::event::{RowsEvent, RowsKind, TableMap};
use crate::rows::program::{PlannedColumn, Program};
use crate::rows::walk::{Keys, RowFault, Walk};
use crate::value::Fault;

pub use options::{DecodeOptions, UtcOffset};

/// Decodes the rows of one table map into one set of target columns.
///
/// Make a new one when the table map changes; the parser yields the same `Arc` as long as it does not.
#[derive(Debug)]
pub struct RowDecoder {
    table: String,
    columns: Vec<TargetColumn>,
    targets: Vec<DataType>,
    planned: Vec<PlannedColumn>,
    options: DecodeOptions,
    key: Vec<usize>,
    /// Programs of the images met so far; partial images of one table come in few shapes.
    programs: Vec<Arc<Program>>,
    keys: Keys,
}

/// What one call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodedRows {
    /// Rows of the event that were read, an update counting as one. Rows before the first wanted one count too.
    pub read: usize,
    /// Rows appended to the batch.
    pub emitted: usize,
}

/// Shapes of row images that are kept.
const PROGRAMS: usize = 8;

impl RowDecoder {
    /// Checks that `columns` can be decoded from rows of `table_map`, and plans how.
    pub fn new(table_map: &TableMap, columns: &[TargetColumn]) -> Result<Self> {
        Self::with_options(table_map, columns, DecodeOptions::default())
    }

    /// The same with the server's time zone.
    pub fn with_options(table_map: &TableMap, columns: &[TargetColumn], options: DecodeOptions) -> Result<Self> {
        let table = table_map.full_name();
        let planned = plan_columns(table_map, columns).map_err(|error| error.in_table(table.clone()))?;
        Ok(Self {
            table,
            columns: columns.to_vec(),
            targets: columns.iter().map(|column| column.target.clone()).collect(),
            planned,
            options,
            key: Vec::new(),
            programs: Vec::new(),
            keys: Keys::default(),
        })
    }

    /// Appends all rows of the event to `out`; returns how many were appended.
    pub fn decode(&mut self, rows: &RowsEvent<'_>, mode: UpdateMode, out: &mut RowBatchBuilder) -> Result<usize> {
        self.decode_from(rows, 0, mode, out).map(|decoded| decoded.emitted)
    }

    /// Appends the rows of the event from row `first` on, an update counting as one row: what is left to do when a
    /// checkpoint was taken in the middle of an event.
    pub fn decode_from(
        &mut self,
        rows: &RowsEvent<'_>,
        first: usize,
        mode: UpdateMode,
        out: &mut RowBatchBuilder,
    ) -> Result<DecodedRows> {
        let start = out.len();
        let decoded = self.decode_rows(rows, first, mode, out).and_then(|read| {
            self.check_text(start, out)?;
            Ok(DecodedRows { read, emitted: out.len() - start })
        });
        decoded.map_err(|error| {
            out.truncate(start);
            error.in_table(self.table.clone()).at_position(rows.position)
        })
    }

    fn decode_rows(
        &mut self,
        rows: &RowsEvent<'_>,
        first: usize,
        mode: UpdateMode,
        out: &mut RowBatchBuilder,
    ) -> Result<usize> {
        out.check(&self.targets)?;
        if rows.column_count != self.planned.len() {
            let what = format!("the row has {} columns, its table map {}", rows.column_count, self.planned.len());
            return Err(DecodeError::schema(what).with_hint("the decoder belongs to another version of the table"));
        }
        if self.key != out.key() {
            self.key = out.key().to_vec();
            self.programs.clear();
        }
        let before = self.program(rows.columns_before);
        let after = if rows.kind == RowsKind::Update { Some(self.program(rows.columns_after)) } else { None };
        self.keys.resize(self.key.len());
        let mut keys = std::mem::take(&mut self.keys);
        let mut walk = Walk::new(&rows.images, &self.columns, &self.options.utc_offset, &mut keys);
        let result = match (rows.kind, after) {
            (RowsKind::Update, Some(after)) => self.updates(&mut walk, first, mode, &before, &after, out),
            (RowsKind::Delete, _) => self.single(&mut walk, first, kind::DELETE, &before, out),
            _ => self.single(&mut walk, first, kind::INSERT, &before, out),
        };
        self.keys = keys;
        result
    }

    /// Inserts and deletes: one image per row.
    fn single(
        &self,
        walk: &mut Walk<'_>,
        first: usize,
        kind: u8,
        program: &Program,
        out: &mut RowBatchBuilder,
    ) -> Result<usize> {
        self.require(program.missing)?;
        let skipped = self.skip_rows(walk, first, &[program])?;
        let mut read = skipped;
        while !walk.is_done() {
            walk.decode::<false>(program, out).map_err(|fault| self.explain(fault, read))?;
            read += 1;
        }
        out.kinds.resize(out.kinds.len() + read - skipped, kind);
        Ok(read)
    }

    /// Updates: a before and an after image per row.
    fn updates(
        &self,
        walk: &mut Walk<'_>,
        first: usize,
        mode: UpdateMode,
        before: &Program,
        after: &Program,
        out: &mut RowBatchBuilder,
    ) -> Result<usize> {
        self.require(after.missing)?;
        self.require(before.missing_key)?;
        if mode == UpdateMode::BeforeAndAfter {
            self.require(before.missing)?;
        }
        let mut read = self.skip_rows(walk, first, &[before, after])?;
        while !walk.is_done() {
            let row = match mode {
                UpdateMode::BeforeAndAfter => walk.both_images(before, after, out),
                UpdateMode::AfterOnly => walk.after_image(before, after, out),
            };
            let key_changed = row.map_err(|fault| self.explain(fault, read))?;
            match (key_changed, mode) {
                (true, _) => out.kinds.extend_from_slice(&[kind::DELETE, kind::INSERT]),
                (false, UpdateMode::BeforeAndAfter) => {
                    out.kinds.extend_from_slice(&[kind::UPDATE_BEFORE, kind::UPDATE_AFTER]);
                }
                (false, UpdateMode::AfterOnly) => out.kinds.push(kind::UPDATE_AFTER),
            }
            read += 1;
        }
        Ok(read)
    }

    fn skip_rows(&self, walk: &mut Walk<'_>, first: usize, images: &[&Program]) -> Result<usize> {
        let mut read = 0;
        while read < first && !walk.is_done() {
            for program in images {
                walk.skip::<false>(program).map_err(|fault| self.explain(fault, read))?;
            }
            read += 1;
        }
        Ok(read)
    }

    /// The program for images with these columns.
    fn program(&mut self, present: &[u8]) -> Arc<Program> {
        if let Some(program) = self.programs.iter().find(|program| program.fits(present)) {
            return Arc::clone(program);
        }
        if self.programs.len() >= PROGRAMS {
            self.programs.clear();
        }
        let program = Arc::new(Program::new(&self.planned, &self.key, present));
        self.programs.push(Arc::clone(&program));
        program
    }

    fn require(&self, missing: Option<u32>) -> Result<()> {
        match missing.and_then(|index| self.columns.get(index as usize)) {
            Some(column) => Err(explain(Fault::Absent, column)),
            None => Ok(()),
        }
    }

    fn explain(&self, fault: RowFault, row: usize) -> DecodeError {
        match self.columns.get(fault.column as usize) {
            Some(column) => explain(fault.fault, column),
            None => DecodeError::malformed(format!("row {row} of the event ends in the middle of a value")),
        }
    }

    /// Text of the rows from `start` on must be UTF-8.
    fn check_text(&self, start: usize, out: &RowBatchBuilder) -> Result<()> {
        for (buffer, column) in out.columns.iter().zip(&self.columns) {
            if let Some((_, bytes)) = buffer.find_invalid_text(start) {
                return Err(invalid_text(bytes, column));
            }
        }
        Ok(())
    }
}

/// One plan per column of the table.
fn plan_columns(table_map: &TableMap, columns: &[TargetColumn]) -> Result<Vec<PlannedColumn>> {
    let mut planned = Vec::with_capacity(table_map.columns.len());
    for wire in &table_map.columns {
        planned.push(PlannedColumn { skip: plan::skip(wire)?, decode: None });
    }
    for (index, target) in columns.iter().enumerate() {
        let name = || target.source.name.clone();
        let (Some(wire), Some(plan)) =
            (table_map.columns.get(target.source_index), planned.get_mut(target.source_index))
        else {
            let what =
                format!("the column is number {}, the table has {}", target.source_index + 1, table_map.columns.len());
            return Err(DecodeError::schema(what)
                .in_column(name())
                .with_hint("the table was altered; read its columns again"));
        };
        if plan.decode.is_some() {
            return Err(DecodeError::schema("two target columns read the same column of the table").in_column(name()));
        }
        plan.decode = Some((plan::decode(target, wire)?, index as u32));
    }
    Ok(planned)
}

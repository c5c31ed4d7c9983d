//! From changes and their partners to rows of the result.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};
use sluice_plan::JoinKind;

use super::pairs::Partners;
use super::rows::{Place, RowStore};
use super::side::{Book, Change};
use crate::Output;

/// Rows of a batch that is put out.
const BATCH_ROWS: usize = 8192;

/// Collects rows of the result and puts them out as batches.
pub(super) struct Emitter<'a, 'b> {
    stores: [&'a RowStore; 2],
    /// The columns of the right are part of the result.
    keeps_right: bool,
    /// Whether each row of the result has a partner, for a join that says so.
    marks: Option<Vec<bool>>,
    schema: &'a SchemaRef,
    places: [Vec<Place>; 2],
    kinds: Vec<u8>,
    output: Output<'b>,
}

/// What a join keeps of rows without a partner, seen from the input whose rows change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    kind: JoinKind,
    input: usize,
    pads_own: bool,
    pads_other: bool,
}

impl<'a, 'b> Emitter<'a, 'b> {
    pub(super) fn new(stores: [&'a RowStore; 2], kind: JoinKind, schema: &'a SchemaRef, output: Output<'b>) -> Self {
        let marks = (kind == JoinKind::LeftMark).then(Vec::new);
        let keeps_right = kind.keeps_right();
        Self { stores, keeps_right, marks, schema, places: Default::default(), kinds: Vec::new(), output }
    }

    fn emit(&mut self, kind: RowKind, left: Place, right: Place) -> Result<()> {
        self.places[0].push(left);
        if self.keeps_right {
            self.places[1].push(right);
        }
        self.kinds.push(kind as u8);
        if self.kinds.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// As [`emit`](Self::emit), for a row of the left that has a partner or not.
    fn emit_marked(&mut self, kind: RowKind, left: Place, mark: bool) -> Result<()> {
        if let Some(marks) = &mut self.marks {
            marks.push(mark);
        }
        self.emit(kind, left, Place::NONE)
    }

    /// Puts out what is left.
    ///
    /// # Errors
    /// As the output.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let mut columns = self.stores[0].gather(&self.places[0], 0..self.stores[0].num_columns())?;
        if self.keeps_right {
            columns.extend(self.stores[1].gather(&self.places[1], 0..self.stores[1].num_columns())?);
        }
        if let Some(marks) = &mut self.marks {
            columns.push(Arc::new(BooleanArray::from(std::mem::take(marks))));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.kinds.len()));
        let rows =
            RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(Error::from_arrow)?;
        self.places.iter_mut().for_each(Vec::clear);
        let kinds = std::mem::take(&mut self.kinds);
        let is_append = kinds.iter().all(|kind| *kind == RowKind::Insert as u8);
        (self.output)(ChangelogBatch::try_new(rows, (!is_append).then(|| RowKinds::from(kinds)))?)
    }
}

impl Rules {
    /// The rules for rows of `input`.
    pub(super) fn new(kind: JoinKind, input: usize) -> Self {
        let pads = |input| match kind {
            JoinKind::Left => input == 0,
            JoinKind::Right => input == 1,
            JoinKind::Full => true,
            JoinKind::Inner | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark => false,
        };
        Self { kind, input, pads_own: pads(input), pads_other: pads(1 - input) }
    }

    /// Puts out what a change does to the result and updates the degrees of both sides.
    ///
    /// # Errors
    /// As the output.
    pub(super) fn apply(
        self,
        change: &Change,
        partners: &Partners<'_>,
        own: &mut Book,
        other: &mut Book,
        emitter: &mut Emitter<'_, '_>,
    ) -> Result<()> {
        let keeps_unmatched = self.kind == JoinKind::LeftAnti;
        match self.kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti if self.input == 0 => {
                let (had, has) = partners.degrees(other);
                let kept = |content: Place, degree| content.is_some() && (degree == 0) == keeps_unmatched;
                let (old, new) = (kept(change.old, had), kept(change.new, has));
                update(old, new, 1, |kind, is_new| {
                    emitter.emit(kind, if is_new { change.new } else { change.old }, Place::NONE)
                })?;
                note_degree(change, has, own);
                Ok(())
            }
            JoinKind::LeftMark if self.input == 0 => {
                let (had, has) = partners.degrees(other);
                update(change.old.is_some(), change.new.is_some(), 1, |kind, is_new| match is_new {
                    true => emitter.emit_marked(kind, change.new, has > 0),
                    false => emitter.emit_marked(kind, change.old, had > 0),
                })?;
                note_degree(change, has, own);
                Ok(())
            }
            JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark => {
                self.flip(partners, other, keeps_unmatched, emitter)
            }
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => {
                self.pair(change, partners, own, other, emitter)
            }
        }
    }

    /// A row of the right of a semi, anti or mark join: rows of the left get their first partner, or
    /// lose their last one.
    fn flip(
        self,
        partners: &Partners<'_>,
        left: &mut Book,
        keeps_unmatched: bool,
        emitter: &mut Emitter<'_, '_>,
    ) -> Result<()> {
        for (partner, row) in partners.rows.iter().enumerate() {
            let degree = left.degree(*row);
            let (before, after) = match (partners.had(partner), partners.has(partner)) {
                (true, false) => (degree, degree.saturating_sub(1)),
                (false, true) => (degree, degree + 1),
                _ => continue,
            };
            left.set_degree(*row, after);
            if (before == 0) == (after == 0) {
                continue;
            }
            if self.kind == JoinKind::LeftMark {
                update(true, true, left.count(*row), |kind, is_new| {
                    emitter.emit_marked(kind, left.place(*row), if is_new { after > 0 } else { before > 0 })
                })?;
            } else {
                let kind = if (after == 0) == keeps_unmatched { RowKind::Insert } else { RowKind::Delete };
                for _ in 0..left.count(*row) {
                    emitter.emit(kind, left.place(*row), Place::NONE)?;
                }
            }
        }
        Ok(())
    }

    /// A row of an inner or outer join: pairs come and go, and with them the rows padded with NULL
    /// of either side.
    fn pair(
        self,
        change: &Change,
        partners: &Partners<'_>,
        own: &mut Book,
        other: &mut Book,
        emitter: &mut Emitter<'_, '_>,
    ) -> Result<()> {
        let (had, has) = if self.pads_own { partners.degrees(other) } else { (0, 0) };
        let was_padded = self.pads_own && change.old.is_some() && had == 0;
        let is_padded = self.pads_own && change.new.is_some() && has == 0;
        let mut emit = |kind, own, other| match self.input {
            0 => emitter.emit(kind, own, other),
            _ => emitter.emit(kind, other, own),
        };
        if was_padded {
            update(true, is_padded, 1, |kind, is_new| {
                emit(kind, if is_new { change.new } else { change.old }, Place::NONE)
            })?;
        }
        for (partner, row) in partners.rows.iter().enumerate() {
            let (old, new) = (partners.had(partner), partners.has(partner));
            let (place, count, degree) = (other.place(*row), other.count(*row), other.degree(*row));
            if self.pads_other && !old && new && degree == 0 {
                update(true, false, count, |kind, _| emit(kind, Place::NONE, place))?;
            }
            update(old, new, count, |kind, is_new| emit(kind, if is_new { change.new } else { change.old }, place))?;
            if self.pads_other && old != new {
                let degree = if new { degree + 1 } else { degree.saturating_sub(1) };
                other.set_degree(*row, degree);
                if degree == 0 {
                    update(false, true, count, |kind, _| emit(kind, Place::NONE, place))?;
                }
            }
        }
        if is_padded && !was_padded {
            emit(RowKind::Insert, change.new, Place::NONE)?;
        }
        if self.pads_own {
            note_degree(change, has, own);
        }
        Ok(())
    }
}

/// Puts out that a row of the result went, came, or was replaced, `times` times.
fn update(old: bool, new: bool, times: u64, mut emit: impl FnMut(RowKind, bool) -> Result<()>) -> Result<()> {
    let (before, after) =
        if old && new { (RowKind::UpdateBefore, RowKind::UpdateAfter) } else { (RowKind::Delete, RowKind::Insert) };
    for _ in 0..times {
        if old {
            emit(before, false)?;
        }
        if new {
            emit(after, true)?;
        }
    }
    Ok(())
}

fn note_degree(change: &Change, degree: u64, own: &mut Book) {
    if change.new.is_some() {
        own.set_degree(change.row, degree);
    }
}

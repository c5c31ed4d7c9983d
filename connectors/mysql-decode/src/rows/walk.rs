//! Walking through the row images of one event.

use crate::batch::RowBatchBuilder;
use crate::column::TargetColumn;
use crate::cursor::{Cursor, bit};
use crate::rows::cell::{self, CellContext};
use crate::rows::options::UtcOffset;
use crate::rows::program::{NONE, Program, Step};
use crate::value::Fault;

/// What went wrong in a row, and in which target column, or [`NONE`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowFault {
    pub(crate) column: u32,
    pub(crate) fault: Fault,
}

const CUT_OFF: RowFault = RowFault { column: NONE, fault: Fault::Truncated };

/// Where the key columns of a row stand in the images.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    before: Vec<Place>,
    after: Vec<Place>,
}

/// Start and end of a value; out of reach when it is NULL.
type Place = (usize, usize);

const NULL: Place = (usize::MAX, usize::MAX);

impl Keys {
    pub(crate) fn resize(&mut self, len: usize) {
        self.before.resize(len, NULL);
        self.after.resize(len, NULL);
    }

    /// The key just recorded becomes the key of the before image.
    fn keep_as_before(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
    }

    /// Whether any key value differs, byte by byte.
    fn differ(&self, images: &[u8]) -> bool {
        let value = |(start, end): Place| images.get(start..end);
        self.before.iter().zip(&self.after).any(|(before, after)| value(*before) != value(*after))
    }
}

/// Position in the images of an event.
pub(crate) struct Walk<'w> {
    images: &'w [u8],
    cursor: Cursor<'w>,
    columns: &'w [TargetColumn],
    utc_offset: &'w UtcOffset,
    keys: &'w mut Keys,
}

impl<'w> Walk<'w> {
    pub(crate) fn new(
        images: &'w [u8],
        columns: &'w [TargetColumn],
        utc_offset: &'w UtcOffset,
        keys: &'w mut Keys,
    ) -> Self {
        Self { images, cursor: Cursor::new(images), columns, utc_offset, keys }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.cursor.is_empty()
    }

    /// An update as two rows; returns whether the key changed.
    pub(crate) fn both_images(
        &mut self,
        before: &Program,
        after: &Program,
        out: &mut RowBatchBuilder,
    ) -> Result<bool, RowFault> {
        self.decode::<true>(before, out)?;
        self.keys.keep_as_before();
        self.decode::<true>(after, out)?;
        Ok(self.keys.differ(self.images))
    }

    /// An update as its new row; as two rows when the key changed, which is returned.
    pub(crate) fn after_image(
        &mut self,
        before: &Program,
        after: &Program,
        out: &mut RowBatchBuilder,
    ) -> Result<bool, RowFault> {
        let start = self.cursor;
        self.skip::<true>(before)?;
        self.keys.keep_as_before();
        self.decode::<true>(after, out)?;
        if !self.keys.differ(self.images) {
            return Ok(false);
        }
        // Rare: take the row back and put the old one before it.
        let rows = out.kinds.len();
        out.truncate(rows);
        if let Some(column) = before.missing {
            return Err(RowFault { column, fault: Fault::Absent });
        }
        self.cursor = start;
        self.decode::<false>(before, out)?;
        self.decode::<false>(after, out)?;
        Ok(true)
    }

    /// Appends the image at the cursor; with `KEYS` the places of its key values are recorded.
    #[inline]
    pub(crate) fn decode<const KEYS: bool>(
        &mut self,
        program: &Program,
        out: &mut RowBatchBuilder,
    ) -> Result<(), RowFault> {
        let nulls = self.bitmap(program)?;
        if !program.has_no_null(nulls) {
            return self.decode_with_nulls::<KEYS>(program, nulls, out);
        }
        for step in &program.decode.joined {
            let start = self.place();
            self.decode_value(step, out)?;
            if KEYS {
                self.record(step, start);
            }
        }
        Ok(())
    }

    fn decode_with_nulls<const KEYS: bool>(
        &mut self,
        program: &Program,
        nulls: &[u8],
        out: &mut RowBatchBuilder,
    ) -> Result<(), RowFault> {
        for (index, step) in program.decode.each.iter().enumerate() {
            if bit(nulls, index) {
                self.record_null::<KEYS>(step);
                if let Some(column) = out.columns.get_mut(step.column as usize) {
                    column.put_null().map_err(|fault| RowFault { column: step.column, fault })?;
                }
                continue;
            }
            let start = self.place();
            self.decode_value(step, out)?;
            if KEYS {
                self.record(step, start);
            }
        }
        Ok(())
    }

    #[inline]
    fn decode_value(&mut self, step: &Step, out: &mut RowBatchBuilder) -> Result<(), RowFault> {
        let index = step.column as usize;
        let fault = |fault| RowFault { column: step.column, fault };
        match (out.columns.get_mut(index), self.columns.get(index)) {
            (Some(column), Some(target)) => {
                let context = CellContext { source: &target.source, utc_offset: self.utc_offset };
                cell::decode(step.op, &mut self.cursor, column, context).map_err(fault)
            }
            _ => cell::skip(step.op, &mut self.cursor).map_err(|_| CUT_OFF),
        }
    }

    /// Passes over the image at the cursor; with `KEYS` the places of its key values are recorded.
    pub(crate) fn skip<const KEYS: bool>(&mut self, program: &Program) -> Result<(), RowFault> {
        let nulls = self.bitmap(program)?;
        let no_null = program.has_no_null(nulls);
        let steps = if no_null { &program.skip.joined } else { &program.skip.each };
        for (index, step) in steps.iter().enumerate() {
            if !no_null && bit(nulls, index) {
                self.record_null::<KEYS>(step);
                continue;
            }
            let start = self.place();
            cell::skip(step.op, &mut self.cursor).map_err(|_| CUT_OFF)?;
            if KEYS {
                self.record(step, start);
            }
        }
        Ok(())
    }

    /// The row's bitmap of NULLs. A row without any column would never end.
    #[inline]
    fn bitmap(&mut self, program: &Program) -> Result<&'w [u8], RowFault> {
        if program.bitmap_len == 0 {
            return Err(CUT_OFF);
        }
        self.cursor.take(program.bitmap_len).map_err(|_| CUT_OFF)
    }

    #[inline]
    fn place(&self) -> usize {
        self.images.len() - self.cursor.len()
    }

    #[inline]
    fn record(&mut self, step: &Step, start: usize) {
        let end = self.place();
        if let Some(place) = self.keys.after.get_mut(step.key as usize) {
            *place = (start, end);
        }
    }

    fn record_null<const KEYS: bool>(&mut self, step: &Step) {
        if KEYS && let Some(place) = self.keys.after.get_mut(step.key as usize) {
            *place = NULL;
        }
    }
}

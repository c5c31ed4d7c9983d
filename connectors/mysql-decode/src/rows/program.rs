//! The steps through one row image.

use crate::cursor::{bit, bitmap_len};
use crate::rows::plan::Op;

/// One value of a row image, or a run of values that are passed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) op: Op,
    /// Index of the target column, [`NONE`] when the value is not needed.
    pub(crate) column: u32,
    /// Place in the key, [`NONE`] when the column is not part of it.
    pub(crate) key: u32,
}

pub(crate) const NONE: u32 = u32::MAX;

/// One column of the table: how to pass over it, and how to decode it if it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlannedColumn {
    pub(crate) skip: Op,
    pub(crate) decode: Option<(Op, u32)>,
}

/// Steps through the images that hold a certain set of columns.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// The set of columns, as in the event.
    present: Vec<u8>,
    /// Decoding, one step per column in the image; step n has bit n in the row's bitmap of NULLs.
    pub(crate) decode: Steps,
    /// Passing over the row, stopping at key columns only.
    pub(crate) skip: Steps,
    /// Bytes of the row's bitmap of NULLs.
    pub(crate) bitmap_len: usize,
    /// The used bits of its last byte. The server sets the others.
    pub(crate) last_mask: u8,
    /// A target column that the image lacks.
    pub(crate) missing: Option<u32>,
    /// A key column that the image lacks.
    pub(crate) missing_key: Option<u32>,
}

/// The same steps twice: one per column, and with neighbours joined for rows without NULL.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) each: Vec<Step>,
    pub(crate) joined: Vec<Step>,
}

impl Program {
    /// Whether the program fits images with these columns.
    pub(crate) fn fits(&self, present: &[u8]) -> bool {
        self.present == present
    }

    pub(crate) fn new(columns: &[PlannedColumn], key: &[usize], present: &[u8]) -> Self {
        let mut program = Self { present: present.to_vec(), ..Self::default() };
        for (ordinal, planned) in columns.iter().enumerate() {
            let column = planned.decode.map_or(NONE, |(_, column)| column);
            let place = key.iter().position(|key| column != NONE && *key == column as usize);
            if bit(present, ordinal) {
                let key = place.map_or(NONE, |place| place as u32);
                let op = planned.decode.map_or(planned.skip, |(op, _)| op);
                program.decode.each.push(Step { op, column, key });
                program.skip.each.push(Step { op: planned.skip, column: NONE, key });
            } else if column != NONE {
                program.missing.get_or_insert(column);
                if place.is_some() {
                    program.missing_key.get_or_insert(column);
                }
            }
        }
        program.decode.join();
        program.skip.join();
        let columns = program.decode.each.len();
        program.bitmap_len = bitmap_len(columns);
        program.last_mask = if columns.is_multiple_of(8) { 0xff } else { (1 << (columns % 8)) - 1 };
        program
    }

    /// Whether a row with this bitmap has no NULL.
    #[inline]
    pub(crate) fn has_no_null(&self, bitmap: &[u8]) -> bool {
        match bitmap.split_last() {
            Some((last, others)) => last & self.last_mask == 0 && others.iter().all(|byte| *byte == 0),
            None => true,
        }
    }
}

impl Steps {
    fn join(&mut self) {
        for step in &self.each {
            match (self.joined.last_mut(), step.op) {
                (Some(Step { op: Op::Skip { bytes }, key: NONE, .. }), Op::Skip { bytes: more })
                    if step.key == NONE =>
                {
                    *bytes += more;
                }
                _ => self.joined.push(*step),
            }
        }
    }
}

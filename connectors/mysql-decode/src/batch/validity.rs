//! Which rows are not NULL. Nothing is stored until the first NULL comes.

use arrow_buffer::{BooleanBufferBuilder, NullBuffer};

#[derive(Debug, Default)]
pub(crate) struct Validity {
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    #[inline]
    pub(crate) fn push_valid(&mut self) {
        if let Some(bits) = &mut self.bits {
            bits.append(true);
        }
    }

    /// Appends a NULL behind `rows` rows.
    pub(crate) fn push_null(&mut self, rows: usize) {
        let bits = self.bits.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(rows + 1024);
            bits.append_n(rows, true);
            bits
        });
        bits.append(false);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        if let Some(bits) = &mut self.bits {
            bits.truncate(rows);
        }
    }

    /// The bitmap, if there is a NULL, leaving an empty one behind.
    pub(crate) fn finish(&mut self) -> Option<NullBuffer> {
        self.bits.take().map(|mut bits| NullBuffer::new(bits.finish()))
    }
}

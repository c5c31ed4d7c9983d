//! Values of variable length, one after the other.

use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::value::Fault;

/// Bytes of a short value are copied as a block of this size.
const BLOCK: usize = 16;

/// All values in one buffer, and the end of each.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// One more than there are values; the first is 0.
    ends: Vec<i32>,
    data: Vec<u8>,
}

impl Bytes {
    pub(crate) fn with_capacity(values: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(values + 1);
        ends.push(0);
        Self { ends, data: Vec::with_capacity(bytes) }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.data.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) -> Result<(), Fault> {
        self.data.extend_from_slice(value);
        self.end_value()
    }

    /// The first `len` bytes of `source`, copied as a block of fixed size if there is one.
    #[inline]
    pub(crate) fn push_within(&mut self, source: &[u8], len: usize) -> Result<(), Fault> {
        match source.first_chunk::<BLOCK>() {
            Some(block) if len <= BLOCK => {
                let end = self.data.len() + len;
                self.data.extend_from_slice(block);
                self.data.truncate(end);
            }
            _ => self.data.extend_from_slice(source.get(..len).ok_or(Fault::Truncated)?),
        }
        self.end_value()
    }

    /// One value, written to the end of the buffer.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        write(&mut self.data);
        self.end_value()
    }

    /// The same where writing may fail; what was written then is left for [`truncate`](Self::truncate).
    pub(crate) fn try_push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>) -> Result<(), Fault> {
        write(&mut self.data)?;
        self.end_value()
    }

    #[inline]
    pub(crate) fn end_value(&mut self) -> Result<(), Fault> {
        let end = i32::try_from(self.data.len()).map_err(|_| Fault::BatchFull)?;
        self.ends.push(end);
        Ok(())
    }

    pub(crate) fn truncate(&mut self, values: usize) {
        self.ends.truncate(values + 1);
        self.data.truncate(self.start(values));
    }

    /// The index from `from` on of the first value that is no UTF-8, and its bytes.
    pub(crate) fn find_invalid(&self, from: usize) -> Option<(usize, &[u8])> {
        let appended = self.data.get(self.start(from)..).unwrap_or_default();
        if appended.is_ascii() {
            return None;
        }
        (from..self.len())
            .map(|index| (index, self.value(index)))
            .find(|(_, value)| std::str::from_utf8(value).is_err())
    }

    fn value(&self, index: usize) -> &[u8] {
        self.data.get(self.start(index)..self.start(index + 1)).unwrap_or_default()
    }

    fn start(&self, index: usize) -> usize {
        self.ends.get(index).map_or(self.data.len(), |end| *end as usize)
    }

    /// Offsets and bytes, leaving an empty buffer of the same capacity behind.
    pub(crate) fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        let empty = Self::with_capacity(self.len(), self.data.len() + BLOCK);
        let full = std::mem::replace(self, empty);
        (OffsetBuffer::new(ScalarBuffer::from(full.ends)), Buffer::from_vec(full.data))
    }
}

//! Objects and arrays of binary JSON.

use crate::cursor::Cursor;
use crate::value::fault::Fault;

/// An object or an array, addressed by the offsets in its head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container<'a> {
    /// From the count on.
    bytes: &'a [u8],
    count: usize,
    /// Bytes of an offset: 2 or 4.
    width: usize,
    is_object: bool,
}

impl<'a> Container<'a> {
    pub(super) fn object(bytes: &'a [u8], large: bool) -> Result<Self, Fault> {
        Self::new(bytes, large, true)
    }

    pub(super) fn array(bytes: &'a [u8], large: bool) -> Result<Self, Fault> {
        Self::new(bytes, large, false)
    }

    fn new(bytes: &'a [u8], large: bool, is_object: bool) -> Result<Self, Fault> {
        let width = if large { 4 } else { 2 };
        let mut cursor = Cursor::new(bytes);
        let count = cursor.uint_le(width)? as usize;
        let size = cursor.uint_le(width)? as usize;
        // A container at the end of a document may claim more than there is only by damage.
        let bytes = bytes.get(..size.min(bytes.len())).unwrap_or_default();
        let container = Self { bytes, count, width, is_object };
        if size > container.bytes.len() && !container.head_fits(size) || !container.head_fits(container.bytes.len()) {
            return Err(Fault::Truncated);
        }
        Ok(container)
    }

    pub(super) fn count(self) -> usize {
        self.count
    }

    /// Bytes of a key entry: offset and a length of two bytes.
    fn key_entry(self) -> usize {
        if self.is_object { self.width + 2 } else { 0 }
    }

    fn values_at(self) -> usize {
        2 * self.width + self.count.saturating_mul(self.key_entry())
    }

    fn head_fits(self, len: usize) -> bool {
        self.values_at().saturating_add(self.count.saturating_mul(1 + self.width)) <= len
    }

    /// The key at `index`, in stored order.
    pub(super) fn key(self, index: usize) -> Result<&'a [u8], Fault> {
        let mut entry = self.from(2 * self.width + index * self.key_entry())?;
        let offset = entry.uint_le(self.width)? as usize;
        let len = entry.u16_le()?;
        Ok(self.from(offset)?.take(len.into())?)
    }

    /// Type and content of the value at `index`. Small values stand in the entry itself.
    pub(super) fn value(self, index: usize) -> Result<(u8, &'a [u8]), Fault> {
        let mut entry = self.from(self.values_at() + index * (1 + self.width))?;
        let type_code = entry.u8()?;
        let inlined = matches!(type_code, 4..=6) || self.width == 4 && matches!(type_code, 7 | 8);
        if inlined {
            return Ok((type_code, entry.take(self.width)?));
        }
        let offset = entry.uint_le(self.width)? as usize;
        Ok((type_code, self.from(offset)?.rest()))
    }

    fn from(self, offset: usize) -> Result<Cursor<'a>, Fault> {
        self.bytes.get(offset..).map(Cursor::new).ok_or(Fault::Truncated)
    }
}

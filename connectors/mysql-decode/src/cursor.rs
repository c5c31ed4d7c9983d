//! A bounds-checked reader over borrowed bytes: every read either yields what was asked for or says [`Truncated`].

use crate::error::DecodeError;

/// The input ended before the value did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncated;

impl From<Truncated> for DecodeError {
    fn from(_: Truncated) -> Self {
        DecodeError::malformed("the input ends in the middle of a value")
    }
}

/// Result of one read.
pub(crate) type Read<T> = std::result::Result<T, Truncated>;

/// Position inside a byte slice. Reads advance it; a failed read leaves it where it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn skip(&mut self, len: usize) -> Read<()> {
        self.rest = self.rest.get(len..).ok_or(Truncated)?;
        Ok(())
    }

    /// Everything that is left.
    #[inline]
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Read<u8> {
        let (&first, tail) = self.rest.split_first().ok_or(Truncated)?;
        self.rest = tail;
        Ok(first)
    }

    #[inline]
    pub(crate) fn u16_le(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u24_le(&mut self) -> Read<u32> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// A 24-bit two's complement integer.
    #[inline]
    pub(crate) fn i24_le(&mut self) -> Read<i32> {
        let [a, b, c] = self.array()?;
        Ok(i32::from_le_bytes([0, a, b, c]) >> 8)
    }

    #[inline]
    pub(crate) fn u32_le(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64_le(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Five bytes, big-endian. Read as eight where there are eight, which is one load.
    #[inline]
    pub(crate) fn u40_be(&mut self) -> Read<u64> {
        let wide = self.rest.first_chunk::<8>().map(|chunk| u64::from_be_bytes(*chunk) >> 24);
        match wide {
            Some(value) => {
                self.skip(5)?;
                Ok(value)
            }
            None => self.uint_be(5),
        }
    }

    /// A little-endian integer of `width` bytes, at most 8.
    #[inline]
    pub(crate) fn uint_le(&mut self, width: usize) -> Read<u64> {
        if width > 8 {
            return Err(Truncated);
        }
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(self.take(width)?) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(bytes))
    }

    /// A big-endian integer of `width` bytes, at most 8.
    #[inline]
    pub(crate) fn uint_be(&mut self, width: usize) -> Read<u64> {
        if width > 8 {
            return Err(Truncated);
        }
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length-encoded integer ("Protocol Basics: Integer Types" of the MySQL internals manual):
    /// one byte below 251, or a marker 252, 253, 254 followed by 2, 3 or 8 bytes. 251 (NULL) and 255 are no integers.
    #[inline]
    pub(crate) fn lenenc(&mut self) -> Read<u64> {
        match self.u8()? {
            252 => self.u16_le().map(u64::from),
            253 => self.u24_le().map(u64::from),
            254 => self.u64_le(),
            251 | 255 => Err(Truncated),
            small => Ok(u64::from(small)),
        }
    }

    /// A length-encoded integer that counts bytes or entries in memory.
    #[inline]
    pub(crate) fn lenenc_usize(&mut self) -> Read<usize> {
        self.lenenc().and_then(|value| usize::try_from(value).map_err(|_| Truncated))
    }

    /// A byte string preceded by its length-encoded length.
    #[inline]
    pub(crate) fn lenenc_bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.lenenc_usize()?;
        self.take(len)
    }

    /// The next `len` bytes as a cursor of their own.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize) -> Read<Cursor<'a>> {
        self.take(len).map(Cursor::new)
    }
}

/// Whether bit `index` is set in a bitmap that counts from the least significant bit of the first byte.
#[inline]
pub(crate) fn bit(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

/// Bytes that a bitmap of `bits` bits takes.
#[inline]
pub(crate) fn bitmap_len(bits: usize) -> usize {
    bits.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_of_every_width() {
        let mut cursor = Cursor::new(&[1, 2, 3, 0xff, 0xff, 0xff, 0x01, 0x02, 0x03, 0x04]);
        assert_eq!(cursor.u24_le(), Ok(0x03_02_01));
        assert_eq!(cursor.i24_le(), Ok(-1));
        assert_eq!(cursor.uint_be(3), Ok(0x01_02_03));
        assert_eq!(cursor.u16_le(), Err(Truncated));
        assert_eq!(cursor.u8(), Ok(4));
        assert_eq!(cursor.u8(), Err(Truncated));
    }

    #[test]
    fn length_encoded_integers_have_four_widths() {
        let read = |bytes: &[u8]| Cursor::new(bytes).lenenc();
        assert_eq!(read(&[250]), Ok(250));
        assert_eq!(read(&[252, 1, 1]), Ok(257));
        assert_eq!(read(&[253, 0, 0, 1]), Ok(65536));
        assert_eq!(read(&[254, 0, 0, 0, 0, 1, 0, 0, 0]), Ok(1 << 32));
        assert_eq!(read(&[251]), Err(Truncated));
        assert_eq!(read(&[253, 0, 0]), Err(Truncated));
    }

    #[test]
    fn a_huge_length_is_refused_without_allocating() {
        let mut cursor = Cursor::new(&[254, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!(cursor.lenenc_bytes(), Err(Truncated));
    }
}

//! DECIMAL: the packed form of row events, the text of result sets, and the way into a Decimal128 column.

use crate::batch::{ColumnBuffer, Values};
use crate::cursor::Cursor;
use crate::value::decimal_text;
use crate::value::fault::{Fault, Put};

/// Powers of ten up to the 38 digits of a Decimal128.
pub(crate) const POW10: [i128; 39] = {
    let mut powers = [1; 39];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

const POW10_U64: [u64; 10] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Bytes that hold 0 to 9 digits.
const DIGITS_TO_BYTES: [u8; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// How DECIMAL(precision, scale) is packed: digits in groups of nine from the point outward, four bytes each, the
/// outermost groups shorter; big-endian; the top bit set in positive numbers, all bits inverted in negative ones.
/// Source: `decimal2bin` of the MySQL source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecimalLayout {
    pub(crate) precision: u8,
    pub(crate) scale: u8,
    /// Of the whole value.
    pub(crate) bytes: u8,
    first: Group,
    /// Groups of nine digits between the first and the last.
    nines: u8,
    last: Group,
}

/// A run of up to nine digits of a packed DECIMAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) digits: u8,
    pub(crate) bytes: u8,
}

impl Group {
    const NINE: Self = Self::of(9);

    const fn of(digits: u8) -> Self {
        Self { digits, bytes: DIGITS_TO_BYTES[digits as usize % 10] }
    }
}

impl DecimalLayout {
    /// `None` when MySQL has no such type.
    pub(crate) fn new(precision: u8, scale: u8) -> Option<Self> {
        if precision == 0 || precision > 65 || scale > 30 || scale > precision {
            return None;
        }
        let whole = precision - scale;
        let (first, last) = (Group::of(whole % 9), Group::of(scale % 9));
        let nines = whole / 9 + scale / 9;
        Some(Self { precision, scale, first, nines, last, bytes: first.bytes + 4 * nines + last.bytes })
    }

    /// The groups in the order of the bytes.
    fn groups(self) -> impl Iterator<Item = Group> {
        let outer = |group: Group| (group.digits > 0).then_some(group).into_iter();
        outer(self.first).chain(std::iter::repeat_n(Group::NINE, self.nines.into())).chain(outer(self.last))
    }

    /// Whether the sign bit says negative. `packed` is not empty.
    pub(crate) fn is_negative(packed: &[u8]) -> bool {
        packed.first().is_some_and(|byte| byte & 0x80 == 0)
    }

    /// The unscaled number of a DECIMAL of at most 38 digits, which `source` begins with.
    #[inline]
    pub(crate) fn unpack(self, source: &[u8]) -> Result<i128, Fault> {
        match source.first_chunk::<8>() {
            Some(chunk) if self.bytes <= 8 => self.unpack_short(u64::from_be_bytes(*chunk)).map(i128::from),
            _ => self.unpack_long(source.get(..self.bytes.into()).ok_or(Fault::Truncated)?),
        }
    }

    /// At most eight bytes, that is at most 18 digits, at the top of `bits`.
    #[inline]
    fn unpack_short(self, bits: u64) -> Result<i64, Fault> {
        let negative = bits >> 63 == 0;
        let mut bits = bits ^ 1 << 63;
        if negative {
            bits = !bits;
        }
        let mut value = 0;
        let mut valid = true;
        let mut take = |group: Group| {
            let unit = POW10_U64[group.digits as usize % 10];
            let digits = bits >> (64 - 8 * u32::from(group.bytes));
            bits <<= 8 * u32::from(group.bytes);
            valid &= digits < unit;
            value = value * unit + digits;
        };
        if self.first.digits > 0 {
            take(self.first);
        }
        for _ in 0..self.nines {
            take(Group::NINE);
        }
        if self.last.digits > 0 {
            take(self.last);
        }
        match (valid, negative) {
            (false, _) => Err(Fault::Malformed),
            (true, true) => Ok(-(value as i64)),
            (true, false) => Ok(value as i64),
        }
    }

    fn unpack_long(self, packed: &[u8]) -> Result<i128, Fault> {
        if self.precision > 38 {
            return Err(Fault::Range);
        }
        let mut value = 0i128;
        self.for_each_group(packed, |group, digits| {
            value = value * POW10[usize::from(group.digits)] + i128::from(digits);
        })?;
        Ok(if Self::is_negative(packed) { -value } else { value })
    }

    /// Calls `visit` with the absolute value of each group.
    pub(crate) fn for_each_group(self, packed: &[u8], mut visit: impl FnMut(Group, u32)) -> Result<(), Fault> {
        let mask = if Self::is_negative(packed) { u64::MAX } else { 0 };
        let mut sign_bit = 0x80u64;
        let mut cursor = Cursor::new(packed);
        for group in self.groups() {
            let width = usize::from(group.bytes);
            let raw = cursor.uint_be(width)? ^ sign_bit << (8 * (width - 1));
            sign_bit = 0;
            let digits = (raw ^ mask) & ((1u64 << (8 * width)) - 1);
            if i128::from(digits) >= POW10[usize::from(group.digits)] {
                return Err(Fault::Malformed);
            }
            visit(group, digits as u32);
        }
        Ok(())
    }
}

impl ColumnBuffer {
    /// A decimal of a declared precision of at most 38 digits. The usual target is just that, and needs no check.
    #[inline]
    pub(crate) fn put_declared_decimal(&mut self, unscaled: i128, layout: DecimalLayout) -> Put {
        match &mut self.values {
            Values::Decimal { values, precision, scale }
                if *scale == layout.scale && *precision >= layout.precision =>
            {
                values.push(unscaled);
            }
            _ => return self.put_decimal(unscaled, layout.scale),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// A decimal of at most 38 digits: `unscaled` × 10^-`scale`.
    pub(crate) fn put_decimal(&mut self, unscaled: i128, scale: u8) -> Put {
        match &mut self.values {
            Values::Decimal { values, precision, scale: target } => {
                match rescale(unscaled, scale, *target).filter(|value| value.abs() < POW10[usize::from(*precision)]) {
                    Some(value) => values.push(value),
                    None => return self.put_overflow(),
                }
            }
            Values::Float64(values) => values.push(decimal_text::to_f64(unscaled, scale)),
            Values::Utf8(text) => text.push_with(|out| decimal_text::write(out, unscaled, scale))?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// Flink turns a decimal that does not fit its declared type into NULL.
    #[cold]
    fn put_overflow(&mut self) -> Put {
        if !self.nullable {
            return Err(Fault::Range);
        }
        self.decimal_overflows += 1;
        self.put_null()
    }

    /// A packed DECIMAL of any number of digits.
    pub(crate) fn put_packed_decimal_text(&mut self, layout: DecimalLayout, packed: &[u8]) -> Put {
        let Values::Utf8(text) = &mut self.values else { return Err(Fault::Mismatch) };
        text.try_push_with(|out| decimal_text::write_packed(out, layout, packed))?;
        self.validity.push_valid();
        Ok(())
    }
}

/// The same number at another scale, rounded half away from zero; `None` beyond 38 digits.
#[inline]
fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if from == to {
        return Some(unscaled);
    }
    if to > from {
        return unscaled.checked_mul(*POW10.get(usize::from(to - from))?);
    }
    let unit = *POW10.get(usize::from(from - to))?;
    let (quotient, remainder) = (unscaled / unit, unscaled % unit);
    Some(if remainder.abs() >= unit - remainder.abs() { quotient + unscaled.signum() } else { quotient })
}

/// Reads DECIMAL text (`-12.50`, `+0.5`, `00012`) of at most 38 significant digits: the unscaled number and its scale.
pub(crate) fn decimal_from_text(text: &[u8]) -> Result<(i128, u8), Fault> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut value = 0i128;
    let mut scale = None;
    let mut seen = false;
    for byte in digits {
        match (byte, &mut scale) {
            (b'0'..=b'9', scale) => {
                let digit = i128::from(byte - b'0');
                value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(Fault::Range)?;
                scale.iter_mut().for_each(|scale: &mut u8| *scale = scale.saturating_add(1));
                seen = true;
            }
            (b'.', scale @ None) => *scale = Some(0),
            _ => return Err(Fault::Malformed),
        }
    }
    if !seen {
        return Err(Fault::Malformed);
    }
    Ok((if negative { -value } else { value }, scale.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(precision: u8, scale: u8, packed: &[u8]) -> i128 {
        let layout = DecimalLayout::new(precision, scale).unwrap();
        assert_eq!(usize::from(layout.bytes), packed.len());
        layout.unpack(packed).unwrap()
    }

    #[test]
    fn unpacks_the_example_of_the_manual() {
        // 1234567890.1234 in DECIMAL(14,4), from the comment of `decimal2bin`.
        assert_eq!(unpack(14, 4, &[0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2]), 12_345_678_901_234);
        assert_eq!(unpack(14, 4, &[0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d]), -12_345_678_901_234);
        assert_eq!(unpack(10, 2, &[0x80, 0, 0, 1, 50]), 150);
        assert_eq!(unpack(1, 0, &[0x7f - 5]), -5);
        assert_eq!(unpack(1, 1, &[0x80 + 5]), 5);
    }

    #[test]
    fn unpacks_all_38_digits() {
        // Two digits in one byte, then four groups of nine digits.
        let mut packed = vec![0x80 | 99];
        packed.extend([0x3b, 0x9a, 0xc9, 0xff].repeat(4));
        assert_eq!(unpack(38, 0, &packed), POW10[38] - 1);
        packed.iter_mut().for_each(|byte| *byte = !*byte);
        assert_eq!(unpack(38, 0, &packed), 1 - POW10[38]);
    }

    #[test]
    fn groups_beyond_their_digits_are_malformed() {
        let layout = DecimalLayout::new(10, 2).unwrap();
        assert_eq!(layout.unpack(&[0x80, 0, 0, 1, 100]), Err(Fault::Malformed));
        assert_eq!(layout.unpack(&[0xff, 0xff, 0xff, 0xff, 0]), Err(Fault::Malformed));
        assert!(DecimalLayout::new(0, 0).is_none() && DecimalLayout::new(2, 3).is_none());
    }

    #[test]
    fn rescaling_rounds_half_away_from_zero() {
        assert_eq!(rescale(125, 2, 1), Some(13));
        assert_eq!(rescale(-125, 2, 1), Some(-13));
        assert_eq!(rescale(124, 2, 1), Some(12));
        assert_eq!(rescale(5, 0, 2), Some(500));
        assert_eq!(rescale(POW10[38] - 1, 0, 1), None);
    }

    #[test]
    fn text_reads_with_signs_and_leading_zeros() {
        assert_eq!(decimal_from_text(b"-12.50"), Ok((-1250, 2)));
        assert_eq!(decimal_from_text(b"0000012"), Ok((12, 0)));
        assert_eq!(decimal_from_text(b".5"), Ok((5, 1)));
        for wrong in [&b""[..], b"-", b".", b"1.2.3", b"1e5", b"abc"] {
            assert_eq!(decimal_from_text(wrong), Err(Fault::Malformed), "{wrong:?}");
        }
    }
}

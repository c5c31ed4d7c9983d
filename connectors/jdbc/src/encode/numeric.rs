//! `numeric` in binary: groups of four decimal digits.
//!
//! `12345.6` with scale 1 is the groups `1 2345 . 6000`, weight 1 (the first group counts 10000¹).
//! Source: `numeric_recv` in PostgreSQL's numeric.c.

use bytes::{BufMut, BytesMut};

const NEGATIVE: u16 = 0x4000;
/// Thirty-eight digits and a scale that does not divide by four need at most eleven groups.
const MAX_GROUPS: usize = 12;

/// Appends the field of `value`·10^-`scale`.
pub(crate) fn put_numeric(out: &mut BytesMut, value: i128, scale: u8) {
    let mut groups = [0u16; MAX_GROUPS];
    // Filled from the back: the last group first.
    let mut first = MAX_GROUPS;
    let mut rest = value.unsigned_abs();
    let odd_digits = u32::from(scale % 4);
    if odd_digits > 0 {
        let unit = 10u128.pow(odd_digits);
        first -= 1;
        groups[first] = (rest % unit) as u16 * 10u16.pow(4 - odd_digits);
        rest /= unit;
    }
    first = put_groups(&mut groups, first, rest);
    let fraction_groups = i32::from(scale.div_ceil(4));
    let mut digits = &groups[first..];
    let mut weight = digits.len() as i32 - fraction_groups - 1;
    while let [0, tail @ ..] = digits {
        digits = tail;
        weight -= 1;
    }
    while let [head @ .., 0] = digits {
        digits = head;
    }
    if digits.is_empty() {
        weight = 0;
    }
    out.put_i32(8 + 2 * digits.len() as i32);
    out.put_u16(digits.len() as u16);
    out.put_i16(weight as i16);
    out.put_u16(if value < 0 { NEGATIVE } else { 0 });
    out.put_u16(u16::from(scale));
    for digit in digits {
        out.put_u16(*digit);
    }
}

/// Puts the groups of `rest` in front of `first`; returns where they begin.
fn put_groups(groups: &mut [u16; MAX_GROUPS], mut first: usize, mut rest: u128) -> usize {
    // Division of 128 bits is slow, and few numbers need it.
    while rest > u128::from(u64::MAX) {
        first -= 1;
        groups[first] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        first -= 1;
        groups[first] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits, weight, sign, scale.
    fn parts(value: i128, scale: u8) -> (Vec<u16>, i16, bool, u16) {
        let mut out = BytesMut::new();
        put_numeric(&mut out, value, scale);
        let word = |at: usize| u16::from_be_bytes([out[at], out[at + 1]]);
        let count = usize::from(word(4));
        assert_eq!(i32::from_be_bytes([out[0], out[1], out[2], out[3]]) as usize, 8 + 2 * count);
        assert_eq!(out.len(), 12 + 2 * count);
        ((0..count).map(|digit| word(12 + 2 * digit)).collect(), word(6) as i16, word(8) != 0, word(10))
    }

    #[test]
    fn groups_of_four_digits() {
        assert_eq!(parts(123_456, 1), (vec![1, 2345, 6000], 1, false, 1));
        assert_eq!(parts(-5, 2), (vec![500], -1, true, 2));
        assert_eq!(parts(1, 8), (vec![1], -2, false, 8));
        assert_eq!(parts(10_000, 0), (vec![1], 1, false, 0));
        assert_eq!(parts(100_000_000, 4), (vec![1], 1, false, 4));
        assert_eq!(parts(0, 2), (vec![], 0, false, 2));
    }

    #[test]
    fn the_largest_numbers_fit() {
        let largest = 10i128.pow(38) - 1;
        assert_eq!(parts(largest, 0), ([vec![99], vec![9999; 9]].concat(), 9, false, 0));
        assert_eq!(parts(largest, 38), ([vec![9999; 9], vec![9900]].concat(), -1, false, 38));
        assert_eq!(parts(-largest, 37).0.len(), 11);
    }
}

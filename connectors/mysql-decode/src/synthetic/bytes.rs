//! Values in the form of row events.

/// A length-encoded integer.
pub fn lenenc(value: u64) -> Vec<u8> {
    match value {
        0..=250 => vec![value as u8],
        251..=0xffff => [&[252][..], &value.to_le_bytes()[..2]].concat(),
        0x1_0000..=0xff_ffff => [&[253][..], &value.to_le_bytes()[..3]].concat(),
        _ => [&[254][..], &value.to_le_bytes()].concat(),
    }
}

/// A text behind `prefix` bytes of length.
pub fn prefixed(prefix: usize, text: &[u8]) -> Vec<u8> {
    [&text.len().to_le_bytes()[..prefix], text].concat()
}

/// DATETIME with `digits` of fraction.
pub fn datetime2(date: [u64; 3], clock: [u64; 3], micros: u64, digits: u8) -> Vec<u8> {
    let [year, month, day] = date;
    let [hour, minute, second] = clock;
    let bits = 1 << 39 | (year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second;
    let mut bytes = bits.to_be_bytes()[3..].to_vec();
    match digits {
        0 => {}
        1 | 2 => bytes.push((micros / 10_000) as u8),
        3 | 4 => bytes.extend_from_slice(&(micros / 100).to_be_bytes()[6..]),
        _ => bytes.extend_from_slice(&micros.to_be_bytes()[5..]),
    }
    bytes
}

/// DECIMAL(precision, scale) of `unscaled`, which must fit.
pub fn decimal(unscaled: i128, precision: u8, scale: u8) -> Vec<u8> {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = usize::from(precision));
    let whole = usize::from(precision - scale);
    let mut groups = Vec::new();
    if whole % 9 > 0 {
        groups.push(whole % 9);
    }
    groups.extend(std::iter::repeat_n(9, whole / 9 + usize::from(scale) / 9));
    if !scale.is_multiple_of(9) {
        groups.push(usize::from(scale) % 9);
    }
    let mut bytes = Vec::new();
    let mut rest = digits.as_str();
    for group in groups {
        let (head, tail) = rest.split_at(group);
        rest = tail;
        let width = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4][group];
        let number: u32 = head.parse().unwrap_or(0);
        bytes.extend_from_slice(&number.to_be_bytes()[4 - width..]);
    }
    if unscaled < 0 {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    bytes
}

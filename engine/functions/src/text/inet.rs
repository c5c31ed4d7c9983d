//! `INET_ATON` and `INET_NTOA`: IPv4 addresses as numbers.

use std::fmt::Write;

use arrow_array::ArrayRef;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("inet_aton", &[Kind::String], SqlType::BigInt, |call| {
            let texts = call.strings(0)?;
            call.primitive::<Int64Type>(|row| Ok(texts.get(row).and_then(address)))
        })
        .nullable(),
        Definition::new("inet_ntoa", &[], SqlType::STRING, inet_ntoa).parameters(integer).nullable(),
    ]
}

/// An integer of any width.
fn integer(given: &[DataType]) -> Option<Vec<DataType>> {
    match given {
        [DataType::Null] => Some(vec![DataType::Int64]),
        [integer] if integer.is_integer() => Some(given.to_vec()),
        _ => None,
    }
}

/// `a.b.c.d`; of fewer parts the last one is the last byte, and of one part it is all four.
fn address(text: &str) -> Option<i64> {
    let mut parts = [0i64; 4];
    let mut count = 0;
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.len() <= 10 && part.bytes().all(|byte| byte.is_ascii_digit());
        *parts.get_mut(count)? = part.parse().ok().filter(|_| is_number)?;
        count += 1;
    }
    let parts = &parts[..count];
    if let [number] = parts {
        return (*number <= i64::from(u32::MAX)).then_some(*number);
    }
    let (last, leading) = parts.split_last()?;
    if parts.iter().any(|part| *part > 255) {
        return None;
    }
    let high = leading.iter().enumerate().map(|(index, part)| part << (24 - 8 * index));
    Some(high.sum::<i64>() | last)
}

fn inet_ntoa(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.widened(0)?;
    call.write_strings(|row, out| {
        let Some(number) = numbers.get(row) else { return Ok(false) };
        let Ok(number) = u32::try_from(number) else { return Ok(false) };
        let [a, b, c, d] = number.to_be_bytes();
        let _ = write!(out, "{a}.{b}.{c}.{d}");
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn reads_addresses_of_one_to_four_parts() {
        assert_eq!(address("192.168.1.1"), Some(3_232_235_777));
        assert_eq!(address("127.1"), Some(2_130_706_433));
        assert_eq!(address("192.168.1"), Some(3_232_235_521));
        assert_eq!(address("4294967295"), Some(4_294_967_295));
        for wrong in ["", "256.0.0.1", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", " 127.0.0.1", "4294967296", "+1"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}

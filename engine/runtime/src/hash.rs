//! Hashes of keys, the same in every process and every version: they decide in which key group, and
//! so in which subtask and which part of a checkpoint, a key lives.
//!
//! The mixing step is the folded multiplication of wyhash (Wang Yi, public domain): both halves of
//! a 128-bit product, xored. Columns are hashed one by one, each over its whole length.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray, RecordBatch, downcast_primitive_array};
use arrow_buffer::ToByteSlice;
use arrow_schema::DataType;
use sluice_model::{Error, Result};

// Constants of wyhash: odd, with as many ones as zeros in each byte.
const SECRET: [u64; 4] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];
const NULL: u64 = SECRET[3];

/// The hash of the key in `columns` of every row.
///
/// # Errors
/// A bug: a column that is not there or of a type that cannot be a key.
pub(crate) fn hash_rows(rows: &RecordBatch, columns: &[usize]) -> Result<Vec<u64>> {
    let mut hashes = vec![SECRET[0]; rows.num_rows()];
    for column in columns {
        let array = rows.columns().get(*column).ok_or_else(|| Error::bug("a key column is not there"))?;
        combine(&mut hashes, &hash_column(array.as_ref())?);
    }
    Ok(hashes)
}

/// A hash of any bytes.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut state = SECRET[0];
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        let (low, high) = chunk.split_at(8);
        state = mix(word(low) ^ SECRET[1], word(high) ^ state);
    }
    let (low, high) = chunks.remainder().split_at(chunks.remainder().len().min(8));
    let last = mix(word(low) ^ SECRET[1], word(high) ^ state);
    mix(last ^ bytes.len() as u64, SECRET[2])
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Up to eight bytes as a number, little end first.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

fn combine(hashes: &mut [u64], column: &[u64]) {
    for (hash, value) in hashes.iter_mut().zip(column) {
        *hash = mix(*hash ^ value, SECRET[1]);
    }
}

fn hash_column(array: &dyn Array) -> Result<Vec<u64>> {
    let mut hashes = hash_values(array)?;
    if let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
        for (hash, valid) in hashes.iter_mut().zip(nulls.iter()) {
            if !valid {
                *hash = NULL;
            }
        }
    }
    Ok(hashes)
}

/// Hashes whatever lies below NULLs as well; the caller overwrites that.
fn hash_values(array: &dyn Array) -> Result<Vec<u64>> {
    Ok(match array.data_type() {
        DataType::Null => vec![NULL; array.len()],
        DataType::Boolean => array.as_boolean().values().iter().map(|value| hash_bytes(&[u8::from(value)])).collect(),
        DataType::Utf8 => hash_each(array.as_string::<i32>().iter(), str::as_bytes),
        DataType::LargeUtf8 => hash_each(array.as_string::<i64>().iter(), str::as_bytes),
        DataType::Utf8View => hash_each(array.as_string_view().iter(), str::as_bytes),
        DataType::Binary => hash_each(array.as_binary::<i32>().iter(), |bytes| bytes),
        DataType::LargeBinary => hash_each(array.as_binary::<i64>().iter(), |bytes| bytes),
        DataType::BinaryView => hash_each(array.as_binary_view().iter(), |bytes| bytes),
        DataType::FixedSizeBinary(_) => hash_each(array.as_fixed_size_binary().iter(), |bytes| bytes),
        // Values that are equal in SQL have one hash: zeros of both signs, NaNs of all kinds.
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            values.iter().map(|value| hash_float(f64::from(*value))).collect()
        }
        DataType::Float64 => array.as_primitive::<Float64Type>().values().iter().map(|v| hash_float(*v)).collect(),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = hash_column(dictionary.values().as_ref())?;
            dictionary.normalized_keys().into_iter().map(|key| values.get(key).copied().unwrap_or(NULL)).collect()
        }
        DataType::Struct(_) => {
            let mut hashes = vec![SECRET[2]; array.len()];
            for column in array.as_struct().columns() {
                combine(&mut hashes, &hash_column(column.as_ref())?);
            }
            hashes
        }
        _ => return hash_lists_and_primitives(array),
    })
}

fn hash_lists_and_primitives(array: &dyn Array) -> Result<Vec<u64>> {
    if let Some(lists) = array.as_list_opt::<i32>() {
        return hash_lists(lists.values().as_ref(), lists.value_offsets().iter().map(|offset| *offset as usize));
    }
    if let Some(lists) = array.as_list_opt::<i64>() {
        return hash_lists(lists.values().as_ref(), lists.value_offsets().iter().map(|offset| *offset as usize));
    }
    downcast_primitive_array!(
        array => Ok(hash_primitives(array)),
        other => Err(Error::fix(format!("a column of type {other} cannot be part of a key")))
    )
}

fn hash_primitives<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Vec<u64> {
    array.values().iter().map(|value| hash_bytes(value.to_byte_slice())).collect()
}

fn hash_each<'a, T: ?Sized + 'a>(
    values: impl Iterator<Item = Option<&'a T>>,
    bytes: impl Fn(&'a T) -> &'a [u8],
) -> Vec<u64> {
    values.map(|value| value.map_or(NULL, |value| hash_bytes(bytes(value)))).collect()
}

fn hash_float(value: f64) -> u64 {
    let canonical = if value.is_nan() { f64::NAN } else { value + 0.0 };
    hash_bytes(&canonical.to_bits().to_le_bytes())
}

fn hash_lists(values: &dyn Array, offsets: impl Iterator<Item = usize>) -> Result<Vec<u64>> {
    let values = hash_column(values)?;
    let offsets: Vec<usize> = offsets.collect();
    let list = |bounds: &[usize]| {
        let elements = values.get(bounds[0]..bounds[1]).unwrap_or_default();
        let start = mix(elements.len() as u64 ^ SECRET[0], SECRET[2]);
        elements.iter().fold(start, |hash, element| mix(hash ^ element, SECRET[1]))
    };
    Ok(offsets.windows(2).map(list).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, ListArray, StringArray, StringViewArray};
    use sluice_model::{KEY_GROUPS, from_pretty, key_group_of};

    use super::*;

    #[test]
    fn hashes_are_pinned() {
        // State lies in checkpoints by these: a change here makes every stored checkpoint unreadable.
        let batch = from_pretty("id BIGINT, name STRING, price DECIMAL(10,2)", "+I 1 a 1.50 / +I 2 '' NULL");
        let groups: Vec<_> = hash_rows(batch.rows(), &[0, 1, 2]).unwrap().into_iter().map(key_group_of).collect();
        assert_eq!((hash_bytes(b"sluice"), hash_bytes(b"")), (PINNED.0, PINNED.1));
        assert_eq!(groups, PINNED.2);
    }

    const PINNED: (u64, u64, [usize; 2]) = (17_836_702_324_515_672_674, 11_912_144_113_143_032_851, [70, 110]);

    #[test]
    fn equal_values_have_equal_hashes_in_every_encoding() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a long text of many bytes")]));
        let view: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a long text of many bytes")]));
        let dictionary: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("a long text of many bytes")].into_iter().collect();
        let expected = hash_column(&plain).unwrap();
        assert_eq!(hash_column(&view).unwrap(), expected);
        assert_eq!(hash_column(&dictionary).unwrap(), expected);
        let floats = hash_column(&Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN])).unwrap();
        assert_eq!((floats[0], floats[2]), (floats[1], floats[3]));
    }

    #[test]
    fn lists_differ_by_content_and_length() {
        let list = |values: Vec<i32>| Some(values.into_iter().map(Some).collect::<Vec<_>>());
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            list(vec![1, 2]),
            list(vec![1, 2]),
            list(vec![2, 1]),
            list(vec![]),
            None,
        ]);
        let hashes = hash_column(&lists).unwrap();
        assert_eq!(hashes[0], hashes[1]);
        for (one, other) in [(0, 2), (0, 3), (3, 4)] {
            assert_ne!(hashes[one], hashes[other]);
        }
    }

    #[test]
    fn consecutive_keys_spread_over_all_groups() {
        let keys: ArrayRef = Arc::new(Int32Array::from_iter_values(0..12_800));
        let mut counts = vec![0; KEY_GROUPS];
        for hash in hash_column(&keys).unwrap() {
            counts[key_group_of(hash)] += 1;
        }
        // 100 expected in each; the bounds are six standard deviations away.
        assert!(counts.iter().all(|count| (40..=160).contains(count)), "{counts:?}");
    }
}

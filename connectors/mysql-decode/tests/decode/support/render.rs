//! Arrays as the server would print them.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use sluice_mysql_decode::{MySqlColumn, MySqlType, TargetColumn};

use super::Line;

pub(crate) fn lines(arrays: &[ArrayRef], kinds: &[u8], targets: &[TargetColumn]) -> Vec<Line> {
    let line = |(row, kind): (usize, &u8)| {
        let kind = Some(["+I", "-U", "+U", "-D"][usize::from(*kind)].to_owned());
        let values = arrays.iter().zip(targets).map(|(array, target)| value(array, row, target));
        std::iter::once(kind).chain(values).collect()
    };
    kinds.iter().enumerate().map(line).collect()
}

fn value(array: &ArrayRef, row: usize, target: &TargetColumn) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            match target.source.kind {
                MySqlType::Bit => bytes.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)).to_string(),
                _ => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
            }
        }
        other => panic!("no text for {other}"),
    })
}

/// The server prints singles as doubles, in its own notation.
pub(crate) fn expected(value: &mut Option<String>, column: &MySqlColumn) {
    if let (MySqlType::Float, Some(text)) = (column.kind, value) {
        *text = text.parse::<f64>().unwrap().to_string();
    }
}

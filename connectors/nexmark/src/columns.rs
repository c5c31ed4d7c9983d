//! Columns of a `ROW` while they are filled: only the fields that are wanted exist.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, StructArray, TimestampMicrosecondArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::Fields;
use sluice_model::{Error, Result};

/// What a field of a `ROW` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// `BIGINT`.
    Long,
    /// `TIMESTAMP(3)`.
    Time,
    /// `STRING`, of about so many bytes.
    Text(usize),
}

/// Values of the fields of one `ROW` for the rows of a batch.
pub(crate) struct Columns {
    values: Vec<Values>,
}

enum Values {
    Unwanted,
    Long(Vec<i64>),
    /// Microseconds since the epoch.
    Time(Vec<i64>),
    Text(Text),
}

/// Texts one behind the other. Rows that were passed over are empty.
struct Text {
    bytes: Vec<u8>,
    /// Where each row begins, up to the last one that was written.
    starts: Vec<i32>,
}

impl Columns {
    /// Columns of `rows` rows, of which `count` will be written, for the `wanted` ones of `fields`.
    pub(crate) fn new(fields: &[(&str, FieldKind)], wanted: &[usize], rows: usize, count: usize) -> Self {
        let make = |(index, (_, kind)): (usize, &(&str, FieldKind))| match kind {
            _ if !wanted.contains(&index) => Values::Unwanted,
            FieldKind::Long => Values::Long(vec![0; rows]),
            FieldKind::Time => Values::Time(vec![0; rows]),
            FieldKind::Text(length) => {
                Values::Text(Text { bytes: Vec::with_capacity(count * length), starts: Vec::with_capacity(rows + 1) })
            }
        };
        Self { values: fields.iter().enumerate().map(make).collect() }
    }

    /// Whether any of these fields is wanted.
    pub(crate) fn wants(&self, fields: &[usize]) -> bool {
        fields.iter().any(|field| !matches!(self.values[*field], Values::Unwanted))
    }

    /// Sets a `BIGINT`, if it is wanted.
    #[inline]
    pub(crate) fn long(&mut self, field: usize, row: usize, value: i64) {
        if let Values::Long(values) = &mut self.values[field] {
            values[row] = value;
        }
    }

    /// Sets a `TIMESTAMP(3)` in milliseconds since the epoch, if it is wanted.
    #[inline]
    pub(crate) fn time(&mut self, field: usize, row: usize, millis: i64) {
        if let Values::Time(values) = &mut self.values[field] {
            values[row] = millis * 1_000;
        }
    }

    /// Sets a `STRING`, if it is wanted. Rows must come in their order.
    #[inline]
    pub(crate) fn text(&mut self, field: usize, row: usize, text: &[u8]) {
        if let Values::Text(column) = &mut self.values[field] {
            column.starts.resize(row + 1, column.bytes.len() as i32);
            column.bytes.extend_from_slice(text);
        }
    }

    /// The `ROW` column of this type, whose fields are the wanted ones; NULL where `nulls` says so.
    ///
    /// # Errors
    /// A bug: a type that does not fit the fields.
    pub(crate) fn finish(self, fields: &Fields, wanted: &[usize], nulls: NullBuffer) -> Result<ArrayRef> {
        let rows = nulls.len();
        let mut values: Vec<Option<Values>> = self.values.into_iter().map(Some).collect();
        let mut columns = Vec::with_capacity(wanted.len());
        for field in wanted {
            let values = values.get_mut(*field).and_then(Option::take).unwrap_or(Values::Unwanted);
            columns.push(values.finish(&nulls)?);
        }
        let array = StructArray::try_new_with_length(fields.clone(), columns, Some(nulls), rows);
        Ok(Arc::new(array.map_err(Error::from_arrow)?))
    }
}

impl Values {
    fn finish(self, nulls: &NullBuffer) -> Result<ArrayRef> {
        let nulls = Some(nulls.clone());
        Ok(match self {
            Self::Long(values) => Arc::new(Int64Array::try_new(values.into(), nulls).map_err(Error::from_arrow)?),
            Self::Time(values) => {
                Arc::new(TimestampMicrosecondArray::try_new(values.into(), nulls).map_err(Error::from_arrow)?)
            }
            Self::Text(mut text) => {
                text.starts.resize(nulls.as_ref().map_or(0, NullBuffer::len) + 1, text.bytes.len() as i32);
                let offsets = OffsetBuffer::new(text.starts.into());
                Arc::new(StringArray::try_new(offsets, text.bytes.into(), nulls).map_err(Error::from_arrow)?)
            }
            Self::Unwanted => return Err(Error::bug("connector 'nexmark' was asked for a field twice")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use sluice_model::SqlType;

    #[test]
    fn rows_that_are_passed_over_are_null() {
        let kinds = [("a", FieldKind::Long), ("b", FieldKind::Text(4)), ("c", FieldKind::Text(1))];
        let mut columns = Columns::new(&kinds, &[2, 0], 4, 2);
        assert!(columns.wants(&[1, 2]) && !columns.wants(&[1]));
        columns.text(2, 1, b"x");
        columns.text(1, 1, b"not wanted");
        columns.text(2, 2, b"yz");
        columns.long(0, 2, 7);
        let row = SqlType::Row(vec![("c".into(), SqlType::STRING), ("a".into(), SqlType::BigInt)]);
        let arrow_schema::DataType::Struct(fields) = row.to_arrow() else { panic!("a struct") };
        let nulls = NullBuffer::from(vec![false, true, true, false]);
        let array = columns.finish(&fields, &[2, 0], nulls).unwrap();
        let texts: Vec<_> = array.as_struct().column(0).as_string::<i32>().iter().collect();
        assert_eq!(texts, [None, Some("x"), Some("yz"), None]);
    }
}

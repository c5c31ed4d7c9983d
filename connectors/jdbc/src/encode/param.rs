//! Columns as parameters of a statement: an array for `unnest`, or a single value.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::column::put_array_header;
use super::{BadValue, ColumnEncoder, Wire};
use crate::reduce::RowRef;

/// An array, ready to be sent.
#[derive(Debug)]
pub(crate) struct ArrayParam(BytesMut);

/// The values of column `column` at `rows`, in their order. `batches` are the encoders of every batch.
///
/// # Errors
/// The first value that has no form in the target.
pub(crate) fn array_param(
    batches: &[Vec<ColumnEncoder<'_>>],
    column: usize,
    wire: &Wire,
    rows: &[RowRef],
) -> Result<ArrayParam, BadValue> {
    let encoder = |place: &RowRef| &batches[place.batch as usize][column];
    let mut out = BytesMut::with_capacity(20 + rows.len() * 12);
    let has_nulls = rows.iter().any(|place| encoder(place).is_null(place.row as usize));
    put_array_header(&mut out, rows.len(), has_nulls, wire.id());
    for (row, place) in rows.iter().enumerate() {
        encoder(place).put_field(place.row as usize, &mut out).map_err(|error| BadValue { row, column, error })?;
    }
    Ok(ArrayParam(out))
}

impl ToSql for ArrayParam {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    /// Its type was decided when the statement was written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A single value, ready to be sent; `None` is NULL.
#[derive(Debug)]
pub(crate) struct ScalarParam(Option<BytesMut>);

impl ScalarParam {
    /// The value of `row`.
    ///
    /// # Errors
    /// A value that has no form in the target.
    pub(crate) fn new(encoder: &ColumnEncoder<'_>, row: usize) -> Result<Self, super::ValueError> {
        if encoder.is_null(row) {
            return Ok(Self(None));
        }
        let mut out = BytesMut::new();
        encoder.put_field(row, &mut out)?;
        // The length in front is the driver's to write.
        let value = out.split_off(4.min(out.len()));
        Ok(Self(Some(value)))
    }
}

impl ToSql for ScalarParam {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(value) => {
                out.put_slice(value);
                Ok(IsNull::No)
            }
        }
    }

    /// Its type was decided when the statement was written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

//! One call of a function: its arguments as columns, and builders for its result.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, FieldRef};
use datafusion_common::Result;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use sluice_model::SqlType;

use crate::SessionInfo;
use crate::error::{bug, fix};

/// One evaluation of a function on a batch.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    args: &'a [ColumnarValue],
    fields: &'a [FieldRef],
    /// Rows of the result.
    pub(crate) rows: usize,
    /// Arrow type of the result.
    pub(crate) return_type: &'a DataType,
    /// SQL type of the result.
    pub(crate) returns: SqlType,
    /// The session.
    pub(crate) session: &'a SessionInfo,
}

impl<'a> Call<'a> {
    pub(crate) fn new(args: &'a ScalarFunctionArgs, rows: usize, session: &'a SessionInfo) -> Self {
        Self {
            args: &args.args,
            fields: &args.arg_fields,
            rows,
            return_type: args.return_field.data_type(),
            returns: SqlType::of_field(&args.return_field),
            session,
        }
    }
}

impl Call<'_> {
    /// Number of arguments.
    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    pub(crate) fn sql_type(&self, index: usize) -> SqlType {
        self.fields.get(index).map_or(SqlType::Null, |field| SqlType::of_field(field))
    }

    /// Whether an argument has the same value in every row.
    pub(crate) fn is_constant(&self, index: usize) -> bool {
        matches!(self.args.get(index), Some(ColumnarValue::Scalar(_)))
    }

    fn argument(&self, index: usize) -> Result<&ColumnarValue> {
        self.args.get(index).ok_or_else(|| bug(format!("argument {index} is missing")))
    }

    /// An argument as a column of `rows` values.
    pub(crate) fn array(&self, index: usize) -> Result<ArrayRef> {
        self.argument(index)?.to_array(self.rows)
    }

    /// An argument as it is: of one value with stride 0, or of all.
    pub(crate) fn cells_of_any(&self, index: usize) -> Result<Cells<ArrayRef>> {
        Ok(match self.argument(index)? {
            ColumnarValue::Array(array) => Cells::new(Arc::clone(array), 1),
            ColumnarValue::Scalar(value) => Cells::new(value.to_array()?, 0),
        })
    }

    fn cells<A: Array + Clone + 'static>(&self, index: usize) -> Result<Cells<A>> {
        let Cells { array, stride, .. } = self.cells_of_any(index)?;
        let typed = array.as_any().downcast_ref::<A>();
        let array = typed.ok_or_else(|| bug(format!("argument {index} is a {}", array.data_type())))?.clone();
        Ok(Cells::new(array, stride))
    }

    pub(crate) fn strings(&self, index: usize) -> Result<Cells<StringArray>> {
        self.cells(index)
    }

    pub(crate) fn binaries(&self, index: usize) -> Result<Cells<BinaryArray>> {
        self.cells(index)
    }

    /// A byte string, or the UTF-8 bytes of a character string.
    pub(crate) fn bytes(&self, index: usize) -> Result<Cells<BinaryArray>> {
        let Cells { array, stride, .. } = self.cells_of_any(index)?;
        let bytes = match array.data_type() {
            DataType::Utf8 => BinaryArray::from(array.as_string::<i32>().clone()),
            _ => array
                .as_binary_opt::<i32>()
                .ok_or_else(|| bug(format!("argument {index} is a {}", array.data_type())))?
                .clone(),
        };
        Ok(Cells::new(bytes, stride))
    }

    pub(crate) fn booleans(&self, index: usize) -> Result<Cells<BooleanArray>> {
        self.cells(index)
    }

    pub(crate) fn integers(&self, index: usize) -> Result<Cells<PrimitiveArray<Int64Type>>> {
        self.cells(index)
    }

    /// Integers of any width as 64 bits.
    pub(crate) fn widened(&self, index: usize) -> Result<Cells<PrimitiveArray<Int64Type>>> {
        let Cells { array, stride, .. } = self.cells_of_any(index)?;
        let wide = arrow_cast::cast(&array, &DataType::Int64)?;
        Ok(Cells::new(wide.as_primitive().clone(), stride))
    }

    pub(crate) fn doubles(&self, index: usize) -> Result<Cells<PrimitiveArray<Float64Type>>> {
        self.cells(index)
    }

    pub(crate) fn primitives<T: ArrowPrimitiveType>(&self, index: usize) -> Result<Cells<PrimitiveArray<T>>> {
        self.cells(index)
    }

    /// Type of the elements that the arguments have: that of the first array, or of the result's elements.
    pub(crate) fn array_of_elements(&self) -> Result<DataType> {
        let element = |sql_type: &SqlType| match sql_type {
            SqlType::Array(element) => Some(element.to_arrow()),
            _ => None,
        };
        let element = element(&self.returns).or_else(|| element(&self.sql_type(0)));
        element.ok_or_else(|| bug("a function of arrays has none"))
    }

    /// An argument that must be a string literal, such as a unit.
    pub(crate) fn constant_string(&self, index: usize, what: &str) -> Result<&str> {
        match self.argument(index)? {
            ColumnarValue::Scalar(value) => value.try_as_str().flatten(),
            ColumnarValue::Array(_) => None,
        }
        .ok_or_else(|| fix(format!("{what} must be a string literal")))
    }

    /// An argument if it is a string literal.
    pub(crate) fn literal(&self, index: usize) -> Option<&str> {
        match self.args.get(index)? {
            ColumnarValue::Scalar(value) => value.try_as_str().flatten(),
            ColumnarValue::Array(_) => None,
        }
    }

    /// Builds a string column; the closure appends one value and says `false` for `NULL`.
    pub(crate) fn write_strings(&self, mut write: impl FnMut(usize, &mut String) -> Result<bool>) -> Result<ArrayRef> {
        let mut texts = Texts::new(self.rows);
        for row in 0..self.rows {
            let start = texts.text.len();
            let is_value = write(row, &mut texts.text)?;
            if !is_value {
                texts.text.truncate(start);
            }
            texts.end(is_value)?;
        }
        texts.finish()
    }

    /// Builds a string column from pieces of the arguments.
    pub(crate) fn pick_strings<'s>(&self, pick: impl Fn(usize) -> Option<&'s str>) -> Result<ArrayRef> {
        let mut texts = Texts::new(self.rows);
        for row in 0..self.rows {
            let piece = pick(row);
            texts.text.push_str(piece.unwrap_or_default());
            texts.end(piece.is_some())?;
        }
        texts.finish()
    }

    /// Rewrites texts: all at once if they are of ASCII, which changes no length.
    pub(crate) fn rewrite_ascii(
        &self,
        ascii: impl Fn(&mut [u8]),
        other: impl Fn(&str, &mut String),
    ) -> Result<ArrayRef> {
        let texts = self.strings(0)?;
        let offsets = texts.array.offsets();
        let (first, last) = (offsets[0] as usize, offsets[texts.array.len()] as usize);
        let all = &texts.array.value_data()[first..last];
        if texts.stride == 0 || !all.is_ascii() {
            return self.write_strings(|row, out| {
                let Some(text) = texts.get(row) else { return Ok(false) };
                other(text, out);
                Ok(true)
            });
        }
        let mut all = all.to_vec();
        ascii(&mut all);
        let offsets = OffsetBuffer::from_lengths(offsets.lengths());
        Ok(Arc::new(StringArray::try_new(offsets, all.into(), texts.array.nulls().cloned())?))
    }

    /// Builds a column of numbers (dates, timestamps).
    pub(crate) fn primitive<T: ArrowPrimitiveType>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(self.rows).with_data_type(self.return_type.clone());
        for row in 0..self.rows {
            builder.append_option(value(row)?);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// Builds a column of truth values.
    pub(crate) fn truths(&self, value: impl FnMut(usize) -> Option<bool>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(value).collect::<BooleanArray>()))
    }
}

/// A column of texts while it is built: they lie one behind the other.
struct Texts {
    text: String,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Texts {
    fn new(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { text: String::with_capacity(rows * 16), ends, nulls: NullBufferBuilder::new(rows) }
    }

    /// The text of a row ends here.
    #[inline]
    fn end(&mut self, is_value: bool) -> Result<()> {
        let end = i32::try_from(self.text.len());
        self.ends.push(end.map_err(|_| fix("the texts that a function makes of one batch are larger than 2 GiB"))?);
        self.nulls.append(is_value);
        Ok(())
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::new(self.ends.into());
        Ok(Arc::new(StringArray::try_new(offsets, self.text.into_bytes().into(), self.nulls.finish())?))
    }
}

/// The values of one argument: a column, or a constant that is the same in every row.
#[derive(Debug)]
pub(crate) struct Cells<A> {
    array: A,
    /// 1 for a column, 0 for a constant.
    stride: usize,
    /// An untyped `NULL`, whose array has no validity.
    is_untyped_null: bool,
}

impl<A: Array> Cells<A> {
    fn new(array: A, stride: usize) -> Self {
        let is_untyped_null = *array.data_type() == DataType::Null;
        Self { array, stride, is_untyped_null }
    }

    /// Position in the array of a row's value; `None` if that is `NULL`.
    #[inline]
    pub(crate) fn position(&self, row: usize) -> Option<usize> {
        let index = row * self.stride;
        (!self.is_untyped_null && !self.array.is_null(index)).then_some(index)
    }

    /// Position in the array of a row's value, which may be `NULL`.
    pub(crate) fn row_index(&self, row: usize) -> usize {
        row * self.stride
    }

    pub(crate) fn array(&self) -> &A {
        &self.array
    }

    /// Other values at the same places: those of this argument, converted.
    pub(crate) fn with<B: Array + Clone + 'static>(&self, array: &ArrayRef) -> Result<Cells<B>> {
        let typed = array.as_any().downcast_ref::<B>();
        let array = typed.ok_or_else(|| bug(format!("a converted argument is a {}", array.data_type())))?.clone();
        Ok(Cells::new(array, self.stride))
    }
}

/// The values of one argument for all rows at once.
pub(crate) enum Rows<'a, T: ArrowPrimitiveType> {
    Column(&'a PrimitiveArray<T>),
    Constant(T::Native),
    Null,
}

impl<T: ArrowPrimitiveType> Cells<PrimitiveArray<T>> {
    pub(crate) fn of_all_rows(&self) -> Rows<'_, T> {
        match self.stride {
            1 => Rows::Column(&self.array),
            _ if self.position(0).is_none() => Rows::Null,
            _ => Rows::Constant(self.array.value(0)),
        }
    }
}

impl Cells<StringArray> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        self.position(row).map(|index| self.array.value(index))
    }
}

impl Cells<BinaryArray> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        self.position(row).map(|index| self.array.value(index))
    }
}

impl Cells<BooleanArray> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<bool> {
        self.position(row).map(|index| self.array.value(index))
    }
}

impl<T: ArrowPrimitiveType> Cells<PrimitiveArray<T>> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        self.position(row).map(|index| self.array.value(index))
    }
}

/// A decimal column's values; an error for any other column is a bug of the caller.
pub(crate) fn decimals(array: &ArrayRef) -> Result<&PrimitiveArray<arrow_array::types::Decimal128Type>> {
    array.as_primitive_opt().ok_or_else(|| bug(format!("{} is not a decimal", array.data_type())))
}

//! Aggregates over whole tables: gathers the values of a group, and computes the result from all.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, new_empty_array};
use arrow_buffer::{OffsetBuffer, i256};
use arrow_ord::ord::make_comparator;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, FieldRef, SortOptions};
use arrow_select::concat::concat;
use arrow_select::filter::filter;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;
use sluice_model::SqlType;

use super::function::Aggregate;
use super::numbers::{decimal_average, decimal_sum, variance};
use crate::SessionInfo;
use crate::cast::cast_array;
use crate::error::{bug, external, fix};

/// The values of one group.
#[derive(Debug)]
pub(super) struct Gathered {
    aggregate: Aggregate,
    values: Vec<ArrayRef>,
    data_type: DataType,
    result: FieldRef,
    session: SessionInfo,
    distinct: bool,
    ignore_nulls: bool,
    /// Of `LISTAGG`.
    separator: Option<String>,
}

impl Gathered {
    pub(super) fn new(aggregate: Aggregate, data_type: &DataType, result: &FieldRef, session: &SessionInfo) -> Self {
        Self {
            aggregate,
            values: Vec::new(),
            data_type: data_type.clone(),
            result: Arc::clone(result),
            session: session.clone(),
            distinct: false,
            ignore_nulls: false,
            separator: None,
        }
    }

    pub(super) fn distinct(self, distinct: bool) -> Self {
        Self { distinct, ..self }
    }

    pub(super) fn ignore_nulls(self, ignore_nulls: bool) -> Self {
        Self { ignore_nulls, ..self }
    }

    fn all(&self) -> Result<ArrayRef> {
        if self.values.is_empty() {
            return Ok(new_empty_array(&self.data_type));
        }
        let values: Vec<&dyn Array> = self.values.iter().map(AsRef::as_ref).collect();
        Ok(concat(&values)?)
    }

    /// The values that count.
    fn counted(&self) -> Result<ArrayRef> {
        let all = self.all()?;
        let with_nulls = match self.aggregate {
            Aggregate::ArrayAgg => !self.ignore_nulls,
            Aggregate::SingleValue => true,
            _ => false,
        };
        let values = match all.logical_nulls() {
            Some(nulls) if !with_nulls => filter(&all, &BooleanArray::new(nulls.into_inner(), None))?,
            _ => all,
        };
        if self.distinct { first_of_each(&values) } else { Ok(values) }
    }

    fn null(&self) -> Result<ScalarValue> {
        ScalarValue::try_from(self.result.data_type())
    }

    /// Sum or average.
    fn number(&self, values: &ArrayRef) -> Result<ScalarValue> {
        let count = values.len();
        if count == 0 && self.aggregate != Aggregate::Sum0 {
            return self.null();
        }
        let is_average = self.aggregate == Aggregate::Avg;
        match (&self.data_type, self.result.data_type()) {
            (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) => {
                let sum = exact_sum(values.as_primitive::<Decimal128Type>().values().iter().copied());
                let (from, scale) = (from.unsigned_abs(), to.unsigned_abs());
                let value = sum.and_then(|sum| match is_average {
                    true => decimal_average(sum, i64::try_from(count).ok()?, from, scale, *precision),
                    false => decimal_sum(sum, from, scale, *precision),
                });
                Ok(ScalarValue::Decimal128(value, *precision, *to))
            }
            (DataType::Float32 | DataType::Float64, _) => {
                let sum: f64 = self.doubles(values)?.values().iter().sum();
                self.of_double(if is_average { sum / count as f64 } else { sum })
            }
            _ => {
                let wide = self.cast(values, &SqlType::BigInt)?;
                let sum =
                    wide.as_primitive::<Int64Type>().values().iter().fold(0i64, |sum, value| sum.wrapping_add(*value));
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                let value: ArrayRef = Arc::new(Int64Array::from(vec![if is_average { sum / count } else { sum }]));
                let narrow = convert(&value, &SqlType::of_field(&self.result), &self.session)?;
                ScalarValue::try_from_array(&narrow, 0)
            }
        }
    }

    fn cast(&self, values: &ArrayRef, to: &SqlType) -> Result<ArrayRef> {
        convert(values, to, &self.session)
    }

    fn doubles(&self, values: &ArrayRef) -> Result<Float64Array> {
        Ok(self.cast(values, &SqlType::Double)?.as_primitive::<Float64Type>().clone())
    }

    fn of_double(&self, value: f64) -> Result<ScalarValue> {
        let value: ArrayRef = Arc::new(Float64Array::from(vec![value]));
        ScalarValue::try_from_array(&self.cast(&value, &SqlType::of_field(&self.result))?, 0)
    }

    fn spread(&self, values: &ArrayRef) -> Result<ScalarValue> {
        let doubles = self.doubles(values)?;
        let sample = matches!(self.aggregate, Aggregate::StddevSamp | Aggregate::VarSamp);
        let count = doubles.len() as f64;
        // Around the mean, so that nothing cancels out.
        let mean = doubles.values().iter().sum::<f64>() / count;
        let squares = doubles.values().iter().map(|value| (value - mean).powi(2)).sum();
        match variance(i64::try_from(doubles.len()).unwrap_or(i64::MAX), 0.0, squares, sample) {
            None => self.null(),
            Some(variance) if matches!(self.aggregate, Aggregate::StddevPop | Aggregate::StddevSamp) => {
                self.of_double(variance.sqrt())
            }
            Some(variance) => self.of_double(variance),
        }
    }

    fn extreme(&self, values: &ArrayRef, wanted: Ordering) -> Result<ScalarValue> {
        let compare = make_comparator(values, values, SortOptions::default())?;
        let best = (0..values.len()).reduce(|best, row| if compare(row, best) == wanted { row } else { best });
        best.map_or_else(|| self.null(), |best| ScalarValue::try_from_array(values, best))
    }

    fn joined(&self, values: &ArrayRef) -> ScalarValue {
        let separator = self.separator.as_deref().unwrap_or(",");
        let texts: Vec<&str> = values.as_string::<i32>().iter().flatten().collect();
        ScalarValue::Utf8((!texts.is_empty()).then(|| texts.join(separator)))
    }

    fn list(&self, values: ArrayRef) -> Result<ScalarValue> {
        match self.result.data_type() {
            DataType::List(element) if !values.is_empty() => Ok(list_of(element, values)?),
            _ => self.null(),
        }
    }
}

impl Accumulator for Gathered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let column = values.first().ok_or_else(|| bug("an aggregate without an argument"))?;
        self.values.push(Arc::clone(column));
        if let Some(separators) = values.get(1).and_then(|separators| separators.as_string_opt::<i32>()) {
            self.separator = separators.iter().flatten().next().map(str::to_owned);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = self.counted()?;
        match self.aggregate {
            Aggregate::Count | Aggregate::ApproxCountDistinct => {
                Ok(ScalarValue::Int64(Some(i64::try_from(values.len()).unwrap_or(i64::MAX))))
            }
            Aggregate::Sum | Aggregate::Sum0 | Aggregate::Avg => self.number(&values),
            Aggregate::Min => self.extreme(&values, Ordering::Less),
            Aggregate::Max => self.extreme(&values, Ordering::Greater),
            Aggregate::SingleValue if values.len() > 1 => Err(fix("a scalar sub-query has more than one row")),
            _ if values.is_empty() => self.null(),
            Aggregate::FirstValue | Aggregate::SingleValue => ScalarValue::try_from_array(&values, 0),
            Aggregate::LastValue => ScalarValue::try_from_array(&values, values.len() - 1),
            Aggregate::ListAgg => Ok(self.joined(&values)),
            Aggregate::ArrayAgg => self.list(values),
            Aggregate::StddevPop | Aggregate::StddevSamp | Aggregate::VarPop | Aggregate::VarSamp => {
                self.spread(&values)
            }
        }
    }

    /// Rows leave a frame in the order in which they came.
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut leaving = values.first().map_or(0, |column| column.len());
        while let Some(first) = self.values.first_mut().filter(|_| leaving > 0) {
            let count = leaving.min(first.len());
            leaving -= count;
            if count == first.len() {
                self.values.remove(0);
            } else {
                *first = first.slice(count, first.len() - count);
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.iter().map(|values| values.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let DataType::List(element) = DataType::new_list(self.data_type.clone(), true) else {
            return Err(bug("a list is no list"));
        };
        Ok(vec![list_of(&element, self.all()?)?, ScalarValue::Utf8(self.separator.clone())])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [lists, separators] = states else { return Err(bug("a state of other columns")) };
        self.values.extend(lists.as_list::<i32>().iter().flatten());
        if let Some(separator) = separators.as_string::<i32>().iter().flatten().next() {
            self.separator = Some(separator.to_owned());
        }
        Ok(())
    }
}

/// One list of all values.
fn list_of(element: &FieldRef, values: ArrayRef) -> Result<ScalarValue> {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Ok(ScalarValue::List(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, None)?)))
}

fn convert(values: &ArrayRef, to: &SqlType, session: &SessionInfo) -> Result<ArrayRef> {
    cast_array(values, &SqlType::of_arrow(values.data_type()), to, false, session).map_err(external)
}

/// The first of each value, in their order.
fn first_of_each(values: &ArrayRef) -> Result<ArrayRef> {
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let rows = converter.convert_columns(std::slice::from_ref(values))?;
    let mut seen = HashSet::new();
    let keep: BooleanArray = rows.iter().map(|row| Some(seen.insert(row.data().to_vec()))).collect();
    Ok(filter(values, &keep)?)
}

/// The sum, if it fits 128 bits.
fn exact_sum(values: impl Iterator<Item = i128>) -> Option<i128> {
    let sum = values.fold(i256::ZERO, |sum, value| sum.wrapping_add(i256::from_i128(value)));
    sum.to_i128()
}

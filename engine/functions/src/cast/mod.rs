//! `CAST` and `TRY_CAST`.
//!
//! | from → to | meaning |
//! |---|---|
//! | text → number | blanks around it do not count; what is no number is an error (`TRY_CAST`: `NULL`) |
//! | integer → smaller integer | wraps around |
//! | decimal, float → integer | cuts the fraction; floats saturate |
//! | number → decimal | rounds HALF_UP; too many digits are `NULL` |
//! | `TIMESTAMP` ↔ `TIMESTAMP_LTZ` | through the session's time zone |
//! | anything → text | `TRUE`, `1.0E10`, `2021-04-13 20:12:11.123`, `[1, NULL]`, `{k=v}`, `(1, a)` |
//! | text → `CHAR(n)`, `VARCHAR(n)` | cut after n characters; `CHAR` is padded with blanks |
//!
//! Source: Flink's `LogicalTypeCasts` and the cast rules of its runtime.

mod interval;
mod matrix;
mod nested;
mod number;
mod parse;
mod temporal;
mod text;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::{DataType, FieldRef};
use chrono_tz::Tz;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::{Cast, ScalarFunction};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sluice_model::{Error, SqlType};

use crate::SessionInfo;
use crate::error::{bug, external, from_datafusion};
use crate::types::{as_decimal, field_of, is_binary, is_float, is_integer, is_string};

pub(crate) use interval::{MILLIS_PER_DAY, millis as millis_of_interval, of_millis as interval_of_millis};
pub(crate) use matrix::{can_cast_implicitly, is_comparable_with_text};
pub(crate) use nested::build_map;
pub use parse::is_time;
pub(crate) use parse::{parse_day, parse_moment, smart_day};
pub(crate) use temporal::timestamps;

/// How a cast behaves, apart from its types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    /// `TRY_CAST`: `NULL` instead of an error.
    pub(crate) try_cast: bool,
    /// The session's time zone.
    pub(crate) zone: Tz,
}

/// An explicit cast of an expression: a native one where DataFusion means the same.
///
/// # Errors
/// There is no cast between these types.
pub fn cast(expr: Expr, from: &SqlType, to: &SqlType, try_cast: bool, session: &SessionInfo) -> Result<Expr> {
    if from == to {
        return Ok(expr);
    }
    matrix::check(from, to).map_err(external)?;
    if let Some(literal) = narrowed_literal(&expr, to) {
        return Ok(literal);
    }
    if is_native(from, to) {
        return Ok(Expr::Cast(Cast::new_from_field(Box::new(expr), Arc::new(field_of("", to, true)))));
    }
    let udf = Arc::new(cast_udf(to.clone(), try_cast, session));
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![expr])))
}

/// The cast that writing a value of type `from` into a column of type `to` needs.
///
/// `Ok(None)` if the types do not go together without an explicit `CAST`.
///
/// # Errors
/// A defect only.
pub fn implicit_cast(expr: Expr, from: &SqlType, to: &SqlType, session: &SessionInfo) -> Result<Option<Expr>> {
    if !can_cast_implicitly(from, to) {
        return Ok(None);
    }
    cast(expr, from, to, false, session).map(Some)
}

/// `CAST(x AS target)` as a function of one argument.
///
/// ```
/// use sluice_functions::{SessionInfo, cast_udf};
/// use sluice_model::SqlType;
/// assert_eq!(cast_udf(SqlType::Int, true, &SessionInfo::default()).name(), "TRY_CAST AS INT");
/// ```
pub fn cast_udf(target: SqlType, try_cast: bool, session: &SessionInfo) -> ScalarUDF {
    let keyword = if try_cast { "TRY_CAST" } else { "CAST" };
    ScalarUDF::new_from_impl(CastFunction {
        name: format!("{keyword} AS {target}"),
        target,
        try_cast,
        zone: session.time_zone,
        signature: Signature::any(1, Volatility::Immutable),
    })
}

/// Whether a function is a cast, which makes NULL of NULL.
pub fn is_cast(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<CastFunction>().is_some()
}

/// Whether a function of one value is a cast between timestamps without a zone, which may cut off
/// parts of a second but never puts a later time before an earlier one.
pub fn keeps_order_of_time(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<CastFunction>().is_some_and(|cast| matches!(cast.target, SqlType::Timestamp(_)))
}

/// Casts a whole column.
///
/// # Errors
/// There is no such cast, or (without `try_cast`) a value cannot be cast.
pub fn cast_array(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    try_cast: bool,
    session: &SessionInfo,
) -> sluice_model::Result<ArrayRef> {
    matrix::check(from, to)?;
    convert(array, from, to, Mode { try_cast, zone: session.time_zone }).map_err(from_datafusion)
}

/// Whether DataFusion's own cast means the same, so that its optimizer can see through it.
fn is_native(from: &SqlType, to: &SqlType) -> bool {
    let width = |sql_type: &SqlType| match sql_type {
        SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Int => 4,
        _ => 8,
    };
    *from == SqlType::Null
        || (is_integer(from) && is_integer(to) && width(from) < width(to))
        || (is_integer(from) && *to == SqlType::Double)
        || (*from == SqlType::Float && *to == SqlType::Double)
}

/// An integer literal in another integer type that it fits.
fn narrowed_literal(expr: &Expr, to: &SqlType) -> Option<Expr> {
    let Expr::Literal(value @ (ScalarValue::Int64(Some(_)) | ScalarValue::Int32(Some(_))), _) = expr else {
        return None;
    };
    let narrowed = is_integer(to).then(|| value.cast_to(&to.to_arrow()).ok()).flatten()?;
    (!narrowed.is_null()).then_some(Expr::Literal(narrowed, None))
}

#[derive(Debug)]
pub(crate) struct CastFunction {
    /// With the target: plans are printed with names of functions only.
    name: String,
    target: SqlType,
    try_cast: bool,
    zone: Tz,
    signature: Signature,
}

impl CastFunction {
    fn key(&self) -> (&SqlType, bool, Tz) {
        (&self.target, self.try_cast, self.zone)
    }

    /// The type that it casts to.
    pub(crate) fn target(&self) -> &SqlType {
        &self.target
    }

    /// Whether a value can make it fail. Casts to text never do.
    pub(crate) fn is_fallible(&self) -> bool {
        !self.try_cast && !is_string(&self.target)
    }
}

impl PartialEq for CastFunction {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for CastFunction {}

impl Hash for CastFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let arg = args.first().map(|arg| arg.schema_name().to_string()).unwrap_or_default();
        Ok(format!("{}({arg} AS {})", if self.try_cast { "TRY_CAST" } else { "CAST" }, self.target))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.target.to_arrow())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [field] = args.arg_fields else { return Err(bug("a cast has one argument")) };
        let overflows = match self.target {
            SqlType::Decimal(precision, scale) => as_decimal(&SqlType::of_field(field))
                .is_none_or(|(p, s)| scale < s || precision - scale < p.saturating_sub(s)),
            _ => false,
        };
        let nullable = field.is_nullable() || self.try_cast || overflows;
        Ok(Arc::new(field_of(self.name(), &self.target, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ([value], [field]) = (args.args.as_slice(), args.arg_fields.as_slice()) else {
            return Err(bug("a cast has one argument"));
        };
        let from = SqlType::of_field(field);
        let mode = Mode { try_cast: self.try_cast, zone: self.zone };
        match value {
            ColumnarValue::Array(array) => Ok(convert(array, &from, &self.target, mode)?.into()),
            ColumnarValue::Scalar(value) => {
                let converted = convert(&value.to_array()?, &from, &self.target, mode)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&converted, 0)?))
            }
        }
    }
}

/// Casts a column between any two types that the matrix allows.
pub(crate) fn convert(array: &ArrayRef, from: &SqlType, to: &SqlType, mode: Mode) -> Result<ArrayRef> {
    use SqlType::{Array, Boolean, Date, Decimal, IntervalDaySecond, IntervalYearMonth, Map, Null, Row, Time};
    if from == to {
        return conform(array, to);
    }
    if array.null_count() == array.len() || *from == Null {
        return Ok(new_null_array(&to.to_arrow(), array.len()));
    }
    match (from, to) {
        (from, to) if is_string(from) && is_string(to) => text::shorten(array, from, to),
        (from, to) if is_string(from) && is_binary(to) => text::encode(array, to),
        (from, to) if is_binary(from) && is_string(to) => text::decode(array, to, mode),
        (from, to) if is_binary(from) && is_binary(to) => text::shorten_bytes(array, to),
        (from, to) if is_string(to) => text::print(array, from, to, mode),
        (from, Boolean) if is_string(from) => parse::booleans(array, mode),
        (from, to) if is_string(from) && is_integer(to) => parse::integers(array, to, mode),
        (from, to) if is_string(from) && is_float(to) => parse::floats(array, to, mode),
        (from, Decimal(precision, scale)) if is_string(from) => parse::decimals(array, *precision, *scale, mode),
        (from, to) if is_string(from) => parse::temporals(array, to, mode),
        (IntervalYearMonth | IntervalDaySecond, to) => interval::to_number(array, from, to),
        (from, IntervalYearMonth | IntervalDaySecond) => interval::from_number(array, from, to),
        (Date | Time(_) | SqlType::Timestamp(_) | SqlType::TimestampLtz(_), to) => {
            temporal::convert(array, from, to, mode)
        }
        (Array(from), Array(to)) => nested::lists(array, from, to, mode),
        (Map(..), Map(..)) => nested::maps(array, from, to, mode),
        (Row(from), Row(to)) => nested::rows(array, from, to, mode),
        (from, to) => number::convert(array, from, to),
    }
}

/// A column of the right SQL type in the Arrow type that stands for it.
fn conform(array: &ArrayRef, to: &SqlType) -> Result<ArrayRef> {
    let wanted = to.to_arrow();
    if *array.data_type() == wanted { Ok(Arc::clone(array)) } else { Ok(arrow_cast::cast(array, &wanted)?) }
}

/// "cannot cast 'abc' to INT".
pub(crate) fn cannot_cast(value: &str, to: &SqlType) -> datafusion_common::DataFusionError {
    const LONGEST: usize = 100;
    let shown: String = value.chars().take(LONGEST).collect();
    let dots = if shown.len() < value.len() { "…" } else { "" };
    external(
        Error::fix(format!("cannot cast '{shown}{dots}' to {to}"))
            .with_hint("TRY_CAST gives NULL for values that cannot be cast"),
    )
}

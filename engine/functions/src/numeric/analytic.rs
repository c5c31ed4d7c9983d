//! Functions of doubles, as `java.lang.Math` has them.

use arrow_array::ArrayRef;
use arrow_array::types::Float64Type;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    let double = |name, kernel| Definition::new(name, &[Kind::Double], SqlType::Double, kernel);
    let two = |name, kernel| Definition::new(name, &[Kind::Double, Kind::Double], SqlType::Double, kernel);
    let constant = |name, kernel| Definition::new(name, &[], SqlType::Double, kernel).not_null();
    vec![
        double("sqrt", |call| unary(call, f64::sqrt)),
        double("exp", |call| unary(call, f64::exp)),
        double("ln", |call| unary(call, f64::ln)),
        double("log10", |call| unary(call, f64::log10)),
        double("log2", |call| unary(call, |x| x.ln() / 2f64.ln())),
        double("log", log).or(&[Kind::Double, Kind::Double]),
        double("sin", |call| unary(call, f64::sin)),
        double("cos", |call| unary(call, f64::cos)),
        double("tan", |call| unary(call, f64::tan)),
        double("cot", |call| unary(call, |x| 1.0 / x.tan())),
        double("asin", |call| unary(call, f64::asin)),
        double("acos", |call| unary(call, f64::acos)),
        double("atan", |call| unary(call, f64::atan)),
        double("sinh", |call| unary(call, f64::sinh)),
        double("cosh", |call| unary(call, f64::cosh)),
        double("tanh", |call| unary(call, f64::tanh)),
        double("degrees", |call| unary(call, f64::to_degrees)),
        double("radians", |call| unary(call, f64::to_radians)),
        two("power", |call| binary(call, f64::powf)).alias("pow"),
        two("atan2", |call| binary(call, f64::atan2)),
        constant("pi", |call| call.primitive::<Float64Type>(|_| Ok(Some(std::f64::consts::PI)))),
        constant("e", |call| call.primitive::<Float64Type>(|_| Ok(Some(std::f64::consts::E)))),
    ]
}

fn unary(call: &Call<'_>, function: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let values = call.doubles(0)?;
    call.primitive::<Float64Type>(|row| Ok(values.get(row).map(&function)))
}

fn binary(call: &Call<'_>, function: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (left, right) = (call.doubles(0)?, call.doubles(1)?);
    call.primitive::<Float64Type>(|row| {
        Ok(left.get(row).zip(right.get(row)).map(|(left, right)| function(left, right)))
    })
}

/// `LOG(x)` is the natural logarithm, `LOG(base, x)` that of a base.
fn log(call: &Call<'_>) -> Result<ArrayRef> {
    if call.len() == 1 { unary(call, f64::ln) } else { binary(call, |base, x| x.ln() / base.ln()) }
}

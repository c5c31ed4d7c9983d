//! The arithmetic of `SUM`, `AVG` and `VAR`, shared by batch and stream.

use arrow_buffer::i256;

use crate::decimal::{divide_half_up_wide, fit, rescale, to_double, wide_power_of_ten};

/// A sum of decimals of scale `from` in its result type; `None` if it has too many digits.
pub fn decimal_sum(sum: i128, from: u8, scale: u8, precision: u8) -> Option<i128> {
    if from == scale { fit(sum, precision) } else { rescale(sum, from, scale, precision) }
}

/// The average of `count` decimals of scale `from`, rounded HALF_UP to its result type.
///
/// `None` without values, and if it has too many digits.
///
/// ```
/// use sluice_functions::decimal_average;
/// assert_eq!(decimal_average(200, 3, 2, 6, 38), Some(666_667)); // 2.00 / 3 = 0.666667
/// assert_eq!(decimal_average(0, 0, 2, 6, 38), None);
/// ```
pub fn decimal_average(sum: i128, count: i64, from: u8, scale: u8, precision: u8) -> Option<i128> {
    if count <= 0 {
        return None;
    }
    let dividend = i256::from_i128(sum).checked_mul(wide_power_of_ten(scale.checked_sub(from)?)?)?;
    let quotient = divide_half_up_wide(dividend, i256::from_i128(i128::from(count)))?;
    fit(quotient.to_i128()?, precision)
}

/// The variance of `count` numbers from their sum and the sum of their squares.
///
/// Of a `sample`, divides by one less. `None` over too few numbers.
pub fn variance(count: i64, sum: f64, squares: f64, sample: bool) -> Option<f64> {
    let divisor = degrees_of_freedom(count, sample)? as f64;
    // Rounding may leave a trace below zero.
    let spread = squares - sum * sum / count as f64;
    Some(if spread < 0.0 { 0.0 } else { spread / divisor })
}

/// The same of exact sums of numbers in units of `10^-scale`.
///
/// ```
/// use sluice_functions::exact_variance;
/// assert_eq!(exact_variance(2, 1000, 520_000, 2, false), Some(1.0)); // 4.00 and 6.00
/// ```
pub fn exact_variance(count: i64, sum: i128, squares: i128, scale: u8, sample: bool) -> Option<f64> {
    let divisor = degrees_of_freedom(count, sample)?;
    let (count, sum) = (i256::from_i128(i128::from(count)), i256::from_i128(sum));
    let spread = i256::from_i128(squares).checked_mul(count)?.checked_sub(sum.checked_mul(sum)?)?;
    let quotient = wide_to_double(spread) / wide_to_double(count) / divisor as f64;
    Some(quotient / 10f64.powi(2 * i32::from(scale)))
}

fn degrees_of_freedom(count: i64, sample: bool) -> Option<i64> {
    let degrees = if sample { count - 1 } else { count };
    (degrees > 0).then_some(degrees)
}

fn wide_to_double(value: i256) -> f64 {
    match value.to_i128() {
        Some(value) => to_double(value, 0),
        None => {
            let (low, high) = value.to_parts();
            high as f64 * 2f64.powi(128) + low as f64
        }
    }
}

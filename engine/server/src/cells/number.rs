//! Floating point as Java's `Double.toString` prints it, which is what Flink's users see.
//!
//! `1.0`, `0.001`, `1.0E7`, `1.2E-4`, `NaN`, `Infinity`: plain between 10⁻³ and 10⁷, scientific
//! outside, always with a fraction, with the fewest digits that read back as the same number.

/// Appends a `DOUBLE`.
pub(crate) fn push_double(text: &mut String, value: f64) {
    push(text, value, value.abs(), format!("{value:e}"), value.to_string());
}

/// Appends a `FLOAT`.
pub(crate) fn push_float(text: &mut String, value: f32) {
    push(text, f64::from(value), f64::from(value.abs()), format!("{value:e}"), value.to_string());
}

fn push(text: &mut String, value: f64, magnitude: f64, scientific: String, plain: String) {
    if value.is_nan() {
        text.push_str("NaN");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        text.push_str(&plain);
        if !plain.contains('.') {
            text.push_str(".0");
        }
    } else {
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        text.push_str(digits);
        if !digits.contains('.') {
            text.push_str(".0");
        }
        text.push('E');
        text.push_str(exponent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_java_does() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.00012, "1.2E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (1.5e300, "1.5E300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            let mut text = String::new();
            push_double(&mut text, value);
            assert_eq!(text, expected);
        }
        let mut text = String::new();
        push_float(&mut text, 0.1_f32);
        assert_eq!(text, "0.1");
    }
}

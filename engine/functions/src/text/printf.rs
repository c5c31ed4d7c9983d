//! `PRINTF` with the formats of Java's `Formatter`, and `ELT`.
//!
//! | format | value | text |
//! |---|---|---|
//! | `%d`, `%5d`, `%-5d`, `%05d`, `%+d`, `%,d` | `7` | `7`, `    7`, `7    `, `00007`, `+7`, `7` |
//! | `%x`, `%X`, `%o` | `255` | `ff`, `FF`, `377` |
//! | `%s`, `%.2s`, `%S` | `'text'` | `text`, `te`, `TEXT` |
//! | `%.2f`, `%e` | `3.14159` | `3.14`, `3.141590e+00` |
//! | `%b`, `%c`, `%%`, `%n` | `TRUE`, `65` | `true`, `A`, `%`, a line feed |
//! | `%2$s` | | the second value |
//!
//! A format that does not fit its values is `NULL`.

use std::fmt::Write;

use arrow_array::{Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use datafusion_common::Result;
use sluice_model::SqlType;

use crate::cast::{Mode, convert};
use crate::decimal;
use crate::error::fix;
use crate::function::{Arguments, Call, Cells, Definition, Kind};
use crate::types::{common_type, is_integer};

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("printf", &[], SqlType::STRING, printf).parameters(format_and_values).nullable(),
        Definition::new("elt", &[], SqlType::Null, elt).parameters(index_and_texts).returns(elt_type).nullable(),
    ]
}

fn format_and_values(given: &[DataType]) -> Option<Vec<DataType>> {
    let (format, values) = given.split_first()?;
    let mut types = vec![Kind::String.accept(format)?];
    types.extend(values.iter().cloned());
    Some(types)
}

/// An index, then all character strings or all byte strings.
fn index_and_texts(given: &[DataType]) -> Option<Vec<DataType>> {
    let (index, texts) = given.split_first()?;
    let index = Kind::Integer.accept(index)?;
    let kinds = [Kind::String, Kind::Binary];
    let texts = kinds.iter().find_map(|kind| texts.iter().map(|text| kind.accept(text)).collect::<Option<Vec<_>>>());
    let texts = texts.filter(|texts| !texts.is_empty())?;
    Some(std::iter::once(index).chain(texts).collect())
}

fn elt_type(arguments: &Arguments<'_>) -> Result<SqlType> {
    common_type(&arguments.sql_types()[1..]).ok_or_else(|| fix("the arguments of ELT have no common type"))
}

/// The n-th of the texts, from 1; NULL out of their range.
fn elt(call: &Call<'_>) -> Result<ArrayRef> {
    let indexes = call.integers(0)?;
    let texts = (1..call.len()).map(|index| call.array(index)).collect::<Result<Vec<_>>>()?;
    let nulls = arrow_array::new_null_array(call.return_type, 1);
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let index = indexes.get(row).and_then(|index| usize::try_from(index).ok());
        places.push(match index.filter(|index| (1..=texts.len()).contains(index)) {
            Some(index) => (index - 1, row),
            None => (texts.len(), 0),
        });
    }
    let arrays: Vec<&dyn Array> = texts.iter().chain([&nulls]).map(AsRef::as_ref).collect();
    Ok(arrow_select::interleave::interleave(&arrays, &places)?)
}

/// A part of a format.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Value(Place),
}

/// `%[index$][flags][width][.precision]conversion`
#[derive(Debug, Default, PartialEq)]
struct Place {
    /// Which value, from 0.
    value: usize,
    flags: Vec<char>,
    width: usize,
    precision: Option<usize>,
    /// In lower case.
    conversion: char,
    upper: bool,
}

impl Place {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(&flag)
    }
}

/// The widest a value may be made.
const WIDEST: usize = 1 << 16;

/// The parts of a format; `None` if it is not one.
fn parse(format: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let (mut rest, mut next) = (format, 0);
    while let Some(at) = rest.find('%') {
        parts.push(Part::Text(rest[..at].to_owned()));
        rest = &rest[at + 1..];
        let mut place = Place::default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let explicit = rest[digits..].starts_with('$').then(|| rest[..digits].parse::<usize>().ok()).flatten();
        if explicit.is_some() {
            rest = &rest[digits + 1..];
        }
        let flags = rest.chars().take_while(|char| "-+ 0,(#".contains(*char)).count();
        place.flags = rest[..flags].chars().collect();
        let (width, behind) = number(&rest[flags..]);
        place.width = width.unwrap_or(0);
        rest = behind;
        if let Some(behind) = rest.strip_prefix('.') {
            let (precision, behind) = number(behind);
            place.precision = Some(precision?);
            rest = behind;
        }
        let conversion = rest.chars().next()?;
        rest = &rest[conversion.len_utf8()..];
        place.conversion = conversion.to_ascii_lowercase();
        place.upper = conversion.is_ascii_uppercase();
        let is_known = "sdxobcefh%n".contains(place.conversion) && !(place.upper && "dofn".contains(place.conversion));
        let too_wide = place.width > WIDEST || place.precision.is_some_and(|precision| precision > WIDEST);
        if !is_known || too_wide || (place.has('-') && place.width == 0) {
            return None;
        }
        match place.conversion {
            '%' => {
                let mut text = "%".to_owned();
                pad(&place, 0, &mut text);
                parts.push(Part::Text(text));
            }
            'n' => parts.push(Part::Text("\n".to_owned())),
            _ => {
                place.value = match explicit {
                    Some(index) => index.checked_sub(1)?,
                    None => {
                        next += 1;
                        next - 1
                    }
                };
                parts.push(Part::Value(place));
            }
        }
    }
    parts.push(Part::Text(rest.to_owned()));
    Some(parts)
}

fn number(text: &str) -> (Option<usize>, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..digits].parse().ok(), &text[digits..])
}

/// The values of one argument in the form that conversions read.
enum Values {
    Integers(Cells<Int64Array>, u32),
    Doubles(Cells<Float64Array>),
    Decimals(Cells<Decimal128Array>, u8),
    Booleans(Cells<BooleanArray>),
    Others,
}

struct Value {
    values: Values,
    texts: Cells<StringArray>,
}

impl Value {
    fn new(call: &Call<'_>, index: usize) -> Result<Self> {
        let sql_type = call.sql_type(index);
        let mode = Mode { try_cast: true, zone: call.session.time_zone };
        let cells = call.cells_of_any(index)?;
        let texts = convert(cells.array(), &sql_type, &SqlType::STRING, mode)?;
        let values = match &sql_type {
            integer if is_integer(integer) => {
                let bits = match integer {
                    SqlType::TinyInt => 8,
                    SqlType::SmallInt => 16,
                    SqlType::Int => 32,
                    _ => 64,
                };
                Values::Integers(call.widened(index)?, bits)
            }
            SqlType::Double => Values::Doubles(call.doubles(index)?),
            SqlType::Float => {
                let wide = convert(cells.array(), &sql_type, &SqlType::Double, mode)?;
                Values::Doubles(cells.with(&wide)?)
            }
            SqlType::Decimal(_, scale) => Values::Decimals(call.primitives(index)?, *scale),
            SqlType::Boolean => Values::Booleans(call.booleans(index)?),
            _ => Values::Others,
        };
        Ok(Self { values, texts: cells.with(&texts)? })
    }

    /// Appends the value of a row; `false` if the conversion does not take it.
    fn write(&self, row: usize, place: &Place, out: &mut String) -> bool {
        let start = out.len();
        if !self.write_plain(row, place, out) {
            return false;
        }
        if place.upper {
            let upper = out[start..].to_uppercase();
            out.replace_range(start.., &upper);
        }
        pad(place, start, out);
        true
    }

    fn write_plain(&self, row: usize, place: &Place, out: &mut String) -> bool {
        match (place.conversion, &self.values) {
            ('s', Values::Booleans(values)) => match values.get(row) {
                Some(value) => cut(if value { "true" } else { "false" }, place, out),
                None => cut("null", place, out),
            },
            ('s', _) => cut(self.texts.get(row).unwrap_or("null"), place, out),
            ('b', Values::Booleans(values)) => {
                cut(if values.get(row) == Some(true) { "true" } else { "false" }, place, out)
            }
            ('b', _) => cut(if self.texts.get(row).is_some() { "true" } else { "false" }, place, out),
            ('h', _) => match self.texts.get(row) {
                Some(text) => write!(out, "{:x}", crate::hash::of_string(text)).is_ok(),
                None => cut("null", place, out),
            },
            _ if self.texts.get(row).is_none() => cut("null", place, out),
            ('d' | 'x' | 'o' | 'c', Values::Integers(values, bits)) => {
                values.get(row).is_some_and(|value| write_integer(value, *bits, place, out))
            }
            ('e' | 'f', Values::Doubles(values)) => {
                values.get(row).is_some_and(|value| write_double(value, place, out))
            }
            ('f', Values::Decimals(values, scale)) => {
                let digits = u8::try_from(place.precision.unwrap_or(6)).ok();
                let rounded = values.get(row).zip(digits).and_then(|(value, digits)| {
                    Some((decimal::rescale(value, *scale, digits, decimal::MAX_PRECISION)?, digits))
                });
                rounded.is_some_and(|(value, digits)| write_fixed(value, digits, place, out))
            }
            _ => false,
        }
    }
}

fn cut(text: &str, place: &Place, out: &mut String) -> bool {
    match place.precision {
        Some(precision) => out.extend(text.chars().take(precision)),
        None => out.push_str(text),
    }
    true
}

/// Fills what was written from `start` on up with blanks.
fn pad(place: &Place, start: usize, out: &mut String) {
    let missing = place.width.saturating_sub(out[start..].chars().count());
    let at = if place.has('-') { out.len() } else { start };
    (0..missing).for_each(|_| out.insert(at, ' '));
}

fn write_integer(value: i64, bits: u32, place: &Place, out: &mut String) -> bool {
    if place.precision.is_some() {
        return false;
    }
    let start = out.len();
    let unsigned = value as u64 & (u64::MAX >> (64 - bits));
    let written = match place.conversion {
        'x' => write!(out, "{}{unsigned:x}", if place.has('#') { "0x" } else { "" }),
        'o' => write!(out, "{}{unsigned:o}", if place.has('#') { "0" } else { "" }),
        'c' => {
            let char = u32::try_from(value).ok().and_then(char::from_u32);
            out.extend(char);
            return char.is_some();
        }
        _ => {
            let written = write!(out, "{}", value.unsigned_abs());
            sign(value < 0, start, place, out);
            return written.is_ok();
        }
    };
    fill(start, start, place, out);
    written.is_ok()
}

/// Completes the digits from `start` on: groups of thousands, the sign, zeros in front.
fn sign(negative: bool, start: usize, place: &Place, out: &mut String) {
    if place.has(',') {
        let whole = out[start..].bytes().take_while(u8::is_ascii_digit).count();
        (1..whole).filter(|index| index.is_multiple_of(3)).for_each(|index| out.insert(start + whole - index, ','));
    }
    let sign = match negative {
        true if place.has('(') => {
            out.insert(start, '(');
            out.push(')');
            return;
        }
        true => Some('-'),
        false if place.has('+') => Some('+'),
        false if place.has(' ') => Some(' '),
        false => None,
    };
    if let Some(sign) = sign {
        out.insert(start, sign);
    }
    fill(start, start + usize::from(sign.is_some()), place, out);
}

/// Zeros between the sign and the digits.
fn fill(start: usize, digits: usize, place: &Place, out: &mut String) {
    if place.has('0') {
        (out.len() - start..place.width).for_each(|_| out.insert(digits, '0'));
    }
}

fn write_double(value: f64, place: &Place, out: &mut String) -> bool {
    if !value.is_finite() {
        out.push_str(match value {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "Infinity",
            _ => "-Infinity",
        });
        return true;
    }
    let (start, precision) = (out.len(), place.precision.unwrap_or(6));
    if place.conversion == 'e' {
        let written = write!(out, "{:.precision$e}", value.abs());
        // Rust writes e-4, Java e-04.
        if let Some(at) = out[start..].find('e').map(|at| start + at + 1) {
            let digits = at + usize::from(out[at..].starts_with('-'));
            if out.len() - digits < 2 {
                out.insert(digits, '0');
            }
            if digits == at {
                out.insert(at, '+');
            }
        }
        sign(value.is_sign_negative(), start, place, out);
        return written.is_ok();
    }
    // HALF_UP over the shortest text of the number, as Java rounds.
    let digits = u8::try_from(precision).ok();
    let exact = digits.and_then(|digits| decimal::from_double(value, decimal::MAX_PRECISION, digits).zip(Some(digits)));
    if let Some((exact, digits)) = exact.filter(|(exact, _)| *exact != 0 || value.is_sign_positive()) {
        return write_fixed(exact, digits, place, out);
    }
    let written = write!(out, "{:.precision$}", value.abs());
    sign(value.is_sign_negative(), start, place, out);
    written.is_ok()
}

fn write_fixed(value: i128, digits: u8, place: &Place, out: &mut String) -> bool {
    let start = out.len();
    let Some(magnitude) = value.checked_abs() else { return false };
    decimal::write_plain(magnitude, digits, out);
    sign(value < 0, start, place, out);
    true
}

fn printf(call: &Call<'_>) -> Result<ArrayRef> {
    let formats = call.strings(0)?;
    let values = (1..call.len()).map(|index| Value::new(call, index)).collect::<Result<Vec<_>>>()?;
    let mut last: Option<(String, Option<Vec<Part>>)> = None;
    call.write_strings(|row, out| {
        let Some(format) = formats.get(row) else { return Ok(false) };
        let parts = match &mut last {
            Some((text, parts)) if text == format => parts,
            last => &mut last.insert((format.to_owned(), parse(format))).1,
        };
        let Some(parts) = parts else { return Ok(false) };
        Ok(parts.iter().all(|part| match part {
            Part::Text(text) => {
                out.push_str(text);
                true
            }
            Part::Value(place) => values.get(place.value).is_some_and(|value| value.write(row, place, out)),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(format: &str) -> Place {
        let parts = parse(format).unwrap();
        match parts.into_iter().nth(1) {
            Some(Part::Value(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        let written = |format: &str, write: &dyn Fn(&Place, &mut String) -> bool| {
            let (place, mut out) = (place(format), "x".to_owned());
            assert!(write(&place, &mut out), "{format}");
            pad(&place, 1, &mut out);
            out.split_off(1)
        };
        for (format, value, expected) in [
            ("%d", -7, "-7"),
            ("%5d", 7, "    7"),
            ("%-5d", 7, "7    "),
            ("%05d", -7, "-0007"),
            ("%+d", 7, "+7"),
            ("%,d", 1_234_567, "1,234,567"),
            ("%(d", -7, "(7)"),
            ("%x", -1, "ffffffff"),
            ("%#o", 8, "010"),
            ("%c", 65, "A"),
        ] {
            assert_eq!(written(format, &|place, out| write_integer(value, 32, place, out)), expected, "{format}");
        }
        for (format, value, expected) in [
            ("%.2f", 0.125, "0.13"),
            ("%,.1f", -1234.5, "-1,234.5"),
            ("%.1e", 0.000_123, "1.2e-04"),
            ("%010.2f", -2.5, "-000002.50"),
            ("%f", 1e30, "1000000000000000000000000000000.000000"),
            ("%.0f", 2.5, "3"),
        ] {
            assert_eq!(written(format, &|place, out| write_double(value, place, out)), expected, "{format}");
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for wrong in ["%", "%q", "%-d", "%.d", "%99999999d", "%0$s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

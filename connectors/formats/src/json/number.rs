//! Floats in JSON: what is not finite becomes a string, as Jackson does it.

use sluice_connector_api::text;

/// Appends a double.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    quoted_unless(value.is_finite(), out, |out| text::write_double(value, out));
}

/// Appends a float.
pub(super) fn write_float(value: f32, out: &mut Vec<u8>) {
    quoted_unless(value.is_finite(), out, |out| text::write_float(value, out));
}

fn quoted_unless(is_number: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if is_number {
        write(out);
    } else {
        out.push(b'"');
        write(out);
        out.push(b'"');
    }
}

//! Integers and floating-point numbers into columns.

use crate::batch::{ColumnBuffer, Values};
use crate::value::fault::{Fault, Put};
use crate::value::float_text::{write_f32, write_f64};
use crate::value::temporal_text::write_padded;

impl ColumnBuffer {
    /// Any integer but an unsigned one of eight bytes.
    #[inline]
    pub(crate) fn put_i64(&mut self, value: i64) -> Put {
        match &mut self.values {
            Values::Int64(values) => values.push(value),
            Values::Int32(values) => values.push(narrow(value)?),
            Values::Int16(values) => values.push(narrow(value)?),
            Values::Int8(values) => values.push(narrow(value)?),
            _ => return self.put_i64_otherwise(value),
        }
        self.validity.push_valid();
        Ok(())
    }

    fn put_i64_otherwise(&mut self, value: i64) -> Put {
        match &mut self.values {
            Values::Boolean(values) => values.append(value != 0),
            Values::Float32(values) => values.push(value as f32),
            Values::Float64(values) => values.push(value as f64),
            Values::Decimal { .. } => return self.put_decimal(value.into(), 0),
            Values::Utf8(text) => text.push(itoa::Buffer::new().format(value).as_bytes())?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// BIGINT UNSIGNED.
    #[inline]
    pub(crate) fn put_u64(&mut self, value: u64) -> Put {
        if let Ok(small) = i64::try_from(value) {
            return self.put_i64(small);
        }
        match &mut self.values {
            Values::Boolean(values) => values.append(true),
            Values::Float32(values) => values.push(value as f32),
            Values::Float64(values) => values.push(value as f64),
            Values::Decimal { .. } => return self.put_decimal(value.into(), 0),
            Values::Utf8(text) => text.push(itoa::Buffer::new().format(value).as_bytes())?,
            _ => return Err(Fault::Range),
        }
        self.validity.push_valid();
        Ok(())
    }

    #[inline]
    pub(crate) fn put_f32(&mut self, value: f32) -> Put {
        match &mut self.values {
            Values::Float32(values) => values.push(value),
            Values::Float64(values) => values.push(value.into()),
            Values::Utf8(text) => text.push_with(|out| write_f32(out, value))?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    #[inline]
    pub(crate) fn put_f64(&mut self, value: f64) -> Put {
        match &mut self.values {
            Values::Float64(values) => values.push(value),
            Values::Utf8(text) => text.push_with(|out| write_f64(out, value))?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }
}

impl ColumnBuffer {
    /// YEAR as row events hold it: years since 1900, 0 for 0000.
    pub(crate) fn put_year_byte(&mut self, byte: u8) -> Put {
        self.put_year(if byte == 0 { 0 } else { 1900 + u16::from(byte) })
    }

    /// YEAR, whose text has four digits.
    pub(crate) fn put_year(&mut self, year: u16) -> Put {
        match &self.values {
            Values::Utf8(_) => self.put_written(|out| {
                write_padded(out, year.into(), 4);
                Ok(())
            }),
            _ => self.put_i64(year.into()),
        }
    }
}

#[inline]
fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Fault> {
    T::try_from(value).map_err(|_| Fault::Range)
}

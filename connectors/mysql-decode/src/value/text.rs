//! Text, bytes, bits and label sets into columns.

use crate::batch::{ColumnBuffer, Values};
use crate::charset::latin1_to_utf8;
use crate::value::decimal_text;
use crate::value::fault::{Fault, Put};
use crate::value::json;

impl ColumnBuffer {
    /// Bytes that should be UTF-8; the batch checks all of them together when the event is done.
    #[inline]
    pub(crate) fn put_text(&mut self, text: &[u8]) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.push(text)?;
        self.validity.push_valid();
        Ok(())
    }

    /// The same for the first `len` bytes of `source`, which is longer in most cases: short texts are copied as
    /// sixteen bytes, which needs no call.
    #[inline]
    pub(crate) fn put_text_within(&mut self, source: &[u8], len: usize) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.push_within(source, len)?;
        self.validity.push_valid();
        Ok(())
    }

    pub(crate) fn put_latin1(&mut self, text: &[u8]) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.push_with(|out| latin1_to_utf8(text, out))?;
        self.validity.push_valid();
        Ok(())
    }

    /// Bytes, filled up with zero bytes to `width`.
    #[inline]
    pub(crate) fn put_bytes(&mut self, bytes: &[u8], width: usize) -> Put {
        let Values::Binary(values) = &mut self.values else { return Err(Fault::Mismatch) };
        match width.checked_sub(bytes.len()) {
            None | Some(0) => values.push(bytes)?,
            Some(missing) => values.push_with(|out| {
                out.extend_from_slice(bytes);
                out.extend(std::iter::repeat_n(0, missing));
            })?,
        }
        self.validity.push_valid();
        Ok(())
    }

    /// BIT(n): its bytes, or the number they are, big-endian.
    pub(crate) fn put_bits(&mut self, bits: &[u8]) -> Put {
        if let Values::Binary(_) = self.values {
            return self.put_bytes(bits, 0);
        }
        if bits.len() > 8 {
            return Err(Fault::Malformed);
        }
        self.put_u64(bits.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// ENUM by index from 1; 0 is the empty text of an invalid value.
    pub(crate) fn put_label(&mut self, labels: &[String], index: u64) -> Put {
        let label = match index {
            0 => "",
            _ => usize::try_from(index - 1).ok().and_then(|index| labels.get(index)).ok_or(Fault::Label)?,
        };
        self.put_text(label.as_bytes())
    }

    /// SET by its bits, the first label in the lowest bit.
    pub(crate) fn put_label_bits(&mut self, labels: &[String], bits: u64) -> Put {
        if labels.len() < 64 && bits >> labels.len() != 0 {
            return Err(Fault::Label);
        }
        let chosen = labels.iter().enumerate().filter(|(index, _)| *index < 64 && bits >> index & 1 == 1);
        self.put_set(chosen.map(|(_, label)| label.as_bytes()))
    }

    /// SET by its labels: a list, or their text separated by commas.
    pub(crate) fn put_set<'l>(&mut self, labels: impl Iterator<Item = &'l [u8]>) -> Put {
        match &mut self.values {
            Values::List { items, ends, .. } => {
                for label in labels {
                    items.push(label)?;
                }
                ends.push(i32::try_from(items.len()).map_err(|_| Fault::BatchFull)?);
            }
            Values::Utf8(values) => values.push_with(|out| {
                for (index, label) in labels.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(label);
                }
            })?,
            _ => return Err(Fault::Mismatch),
        }
        self.validity.push_valid();
        Ok(())
    }

    /// DECIMAL text of a result set into a text column.
    pub(crate) fn put_decimal_text(&mut self, text: &[u8]) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.try_push_with(|out| decimal_text::write_normalised(out, text))?;
        self.validity.push_valid();
        Ok(())
    }

    /// MySQL's binary JSON, printed.
    pub(crate) fn put_json(&mut self, document: &[u8]) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.try_push_with(|out| json::write_text(out, document))?;
        self.validity.push_valid();
        Ok(())
    }

    /// A fixed number of bytes written as text by `write`.
    pub(crate) fn put_written(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Put) -> Put {
        let Values::Utf8(values) = &mut self.values else { return Err(Fault::Mismatch) };
        values.try_push_with(write)?;
        self.validity.push_valid();
        Ok(())
    }
}

/// The labels of a SET in the text form of a result set. Labels hold no commas.
pub(crate) fn split_set(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',').filter(move |_| !text.is_empty())
}

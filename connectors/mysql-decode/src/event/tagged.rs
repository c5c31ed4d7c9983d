//! `GTID_TAGGED_LOG_EVENT` (MySQL 8.3 and later), written with MySQL's serialization library.
//!
//! Layout: version 1 byte (2), size of the whole message, last field that must be understood, then pairs of field
//! number and value, all as variable-length integers. Source: `libs/mysql/binlog/event/control_events.h`.

use crate::cursor::{Cursor, Truncated};
use crate::error::{DecodeError, Result};
use crate::event::transaction::GtidEvent;
use crate::gtid::{Gtid, ServerUuid, Tag};
use crate::varlen;

const VERSION: u8 = 2;

pub(crate) fn parse(body: &[u8]) -> Result<GtidEvent> {
    let mut cursor = Cursor::new(body);
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(DecodeError::unsupported(format!("tagged gtid event of version {version} is not supported")));
    }
    let size = usize::try_from(varlen::uint(&mut cursor)?).map_err(|_| Truncated)?;
    let last_required = varlen::uint(&mut cursor)?;
    let read = body.len() - cursor.len();
    let mut fields = cursor.sub(size.checked_sub(read).ok_or(Truncated)?)?;

    let mut event = GtidEvent::new(Gtid::new(ServerUuid::NIL, 0));
    let mut original = None;
    while !fields.is_empty() {
        let number = varlen::uint(&mut fields)?;
        match number {
            7 => original = Some(varlen::uint(&mut fields)?),
            0..=11 => set_field(&mut event, number, &mut fields)?,
            // The width of an unknown field is unknown too: what follows can only be left alone.
            _ if number > last_required => break,
            _ => return Err(DecodeError::unsupported(format!("field {number} of a tagged gtid event is not known"))),
        }
    }
    event.original_commit_micros = original.unwrap_or(event.immediate_commit_micros);
    Ok(event)
}

fn set_field(event: &mut GtidEvent, number: u64, fields: &mut Cursor<'_>) -> Result<()> {
    match number {
        0 => event.flags = varlen::uint(fields)? as u8,
        1 => event.gtid.source.uuid = uuid(fields)?,
        2 => event.gtid.number = varlen::non_negative(fields)?,
        3 => event.gtid.source.tag = tag(varlen::text(fields)?)?,
        4 => event.last_committed = varlen::non_negative(fields)?,
        5 => event.sequence_number = varlen::non_negative(fields)?,
        6 => event.immediate_commit_micros = varlen::uint(fields)?,
        8 => event.transaction_len = varlen::uint(fields)?,
        // Versions of the servers, ticket of the commit group.
        _ => _ = varlen::uint(fields)?,
    }
    Ok(())
}

/// Sixteen integers of one byte's range each.
fn uuid(fields: &mut Cursor<'_>) -> Result<ServerUuid> {
    let mut uuid = ServerUuid::NIL;
    for byte in &mut uuid.0 {
        *byte = u8::try_from(varlen::uint(fields)?)
            .map_err(|_| DecodeError::malformed("the uuid of a tagged gtid event has a byte above 255"))?;
    }
    Ok(uuid)
}

fn tag(text: &str) -> Result<Option<Tag>> {
    if text.is_empty() { Ok(None) } else { Tag::new(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field in order, as the server writes them.
    fn message(fields: &[u8]) -> Vec<u8> {
        let size = 3 + fields.len() as u64;
        assert!(size < 128, "one byte of size");
        let mut out = vec![VERSION];
        varlen::write_uint(&mut out, size);
        varlen::write_uint(&mut out, 5);
        out.extend_from_slice(fields);
        out
    }

    fn fields(pairs: &[(u64, u64)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, value) in pairs {
            varlen::write_uint(&mut out, *number);
            varlen::write_uint(&mut out, *value);
        }
        out
    }

    #[test]
    fn a_tagged_transaction() {
        let mut bytes = fields(&[(0, 1)]);
        bytes.push(2);
        (0..16).for_each(|byte| varlen::write_uint(&mut bytes, 0x80 + byte));
        bytes.extend(fields(&[(2, 5 << 1)]));
        varlen::write_uint(&mut bytes, 3);
        varlen::write_uint(&mut bytes, 3);
        bytes.extend_from_slice(b"job");
        bytes.extend(fields(&[(4, 1 << 1), (5, 2 << 1), (6, 99), (8, 300)]));
        let event = parse(&message(&bytes)).unwrap();
        assert_eq!(event.gtid.to_string(), "80818283-8485-8687-8889-8a8b8c8d8e8f:job:5");
        assert_eq!((event.immediate_commit_micros, event.original_commit_micros), (99, 99));
        assert_eq!((event.last_committed, event.sequence_number, event.transaction_len), (1, 2, 300));
    }

    #[test]
    fn unknown_fields_are_refused_unless_marked_as_optional() {
        assert!(parse(&message(&fields(&[(2, 2), (40, 1)]))).is_ok());
        assert!(parse(&message(&fields(&[(2, 3)]))).is_err(), "a negative number");
        assert!(parse(&[3]).is_err() && parse(&[2, 2]).is_err());
        let mut required = vec![VERSION];
        for part in [5, 60, 40, 1] {
            varlen::write_uint(&mut required, part);
        }
        assert!(parse(&required).unwrap_err().to_string().contains("field 40"));
    }
}

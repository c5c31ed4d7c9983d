//! Binary form of [`GtidSet`]: body of `PREVIOUS_GTIDS_EVENT` and argument of `COM_BINLOG_DUMP_GTID`.
//!
//! Layout (`Gtid_set::encode` of the MySQL source), integers little-endian:
//!
//! | bytes | untagged | tagged (8.3 and later) |
//! |---|---|---|
//! | 8 | number of sources | format 1 in byte 0 and byte 7, number of sources in bytes 1–6 |
//! | per source: 16 | uuid | uuid |
//! | variable | – | tag length (variable-length integer), tag |
//! | 8 | number of intervals | number of intervals |
//! | per interval: 8 + 8 | first, last + 1 | first, last + 1 |

use crate::cursor::Cursor;
use crate::error::{DecodeError, Result};
use crate::gtid::id::{GtidSource, ServerUuid, Tag};
use crate::gtid::interval::Interval;
use crate::gtid::set::GtidSet;
use crate::varlen;

impl GtidSet {
    /// Encodes the set; in the tagged form only when a source has a tag.
    pub fn encode(&self) -> Vec<u8> {
        let tagged = self.has_tags();
        let sources = self.iter().count() as u64;
        let head = if tagged { 1 << 56 | sources << 8 | 1 } else { sources };
        let mut out = head.to_le_bytes().to_vec();
        for (source, intervals) in self.iter() {
            out.extend_from_slice(&source.uuid.0);
            if tagged {
                let tag = source.tag.as_ref().map_or("", Tag::as_str);
                varlen::write_uint(&mut out, tag.len() as u64);
                out.extend_from_slice(tag.as_bytes());
            }
            out.extend_from_slice(&(intervals.len() as u64).to_le_bytes());
            for run in intervals {
                out.extend_from_slice(&run.first.to_le_bytes());
                out.extend_from_slice(&run.last.saturating_add(1).to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`encode`](Self::encode) writes, in either form.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let head = cursor.u64_le()?;
        let (tagged, sources) = match head >> 56 {
            0 => (false, head),
            1 => (true, head << 8 >> 16),
            other => return Err(DecodeError::unsupported(format!("gtid set format {other} is not known"))),
        };
        let mut set = Self::new();
        for _ in 0..sources {
            let source = source(&mut cursor, tagged)?;
            let intervals = cursor.u64_le()?;
            let mut previous = 0;
            for _ in 0..intervals {
                let (first, end) = (cursor.u64_le()?, cursor.u64_le()?);
                if first <= previous || end <= first {
                    let what = format!("gtid interval {first}..{end} is empty, reversed or out of order");
                    return Err(DecodeError::malformed(what));
                }
                previous = end - 1;
                set.add_run(source.clone(), Interval { first, last: previous });
            }
        }
        Ok(set)
    }
}

fn source(cursor: &mut Cursor<'_>, tagged: bool) -> Result<GtidSource> {
    let uuid = ServerUuid(cursor.array()?);
    if !tagged {
        return Ok(GtidSource { uuid, tag: None });
    }
    let tag = varlen::text(cursor)?;
    let tag = if tag.is_empty() { None } else { Some(Tag::new(tag)?) };
    Ok(GtidSource { uuid, tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn untagged_layout() {
        let set: GtidSet = format!("{A}:1-5:7").parse().unwrap();
        let bytes = set.encode();
        assert_eq!(bytes.len(), 8 + 16 + 8 + 2 * 16);
        assert_eq!(bytes[..10], [1, 0, 0, 0, 0, 0, 0, 0, 0x3e, 0x11]);
        assert_eq!(bytes[24..], [2, 1, 6, 7, 8].map(|n: u64| n.to_le_bytes()).concat());
        assert_eq!(GtidSet::decode(&bytes).unwrap(), set);
    }

    #[test]
    fn tagged_layout() {
        let set: GtidSet = format!("{A}:1-5:nightly:2").parse().unwrap();
        let bytes = set.encode();
        assert_eq!(bytes[..8], [1, 2, 0, 0, 0, 0, 0, 1]);
        assert_eq!(GtidSet::decode(&bytes).unwrap(), set);
    }

    #[test]
    fn hostile_counts_end_with_the_input() {
        assert!(GtidSet::decode(&[255, 255, 255, 255, 255, 255, 255, 0]).is_err());
        let mut bytes = format!("{A}:1").parse::<GtidSet>().unwrap().encode();
        bytes[24..32].fill(0xff);
        assert!(GtidSet::decode(&bytes).is_err());
    }
}

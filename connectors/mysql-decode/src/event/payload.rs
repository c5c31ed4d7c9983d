//! `TRANSACTION_PAYLOAD_EVENT` (MySQL 8.0.20 and later): a whole transaction, compressed.

use std::io::{BufReader, Read};

use crate::cursor::Cursor;
use crate::error::{DecodeError, ErrorKind, Result};
use crate::event::Event;
use crate::event::header::{EventHeader, HEADER_LEN};
use crate::event::parser::BinlogParser;

/// A compressed transaction: fields of type, length (both length-encoded) and value up to type 0, then the payload.
/// Type 1 is the payload's length, 2 the algorithm (0 zstd, 255 none), 3 the length after decompression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionPayload<'a> {
    /// 0 zstd, 255 none.
    pub algorithm: u64,
    /// Bytes of the events inside, as the server says.
    pub uncompressed_len: u64,
    /// The compressed events.
    pub payload: &'a [u8],
}

const ZSTD: u64 = 0;
const NONE: u64 = 255;

impl<'a> TransactionPayload<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let (mut algorithm, mut uncompressed_len, mut payload_len) = (NONE, 0, None);
        loop {
            let field = cursor.lenenc()?;
            if field == 0 {
                break;
            }
            let mut value = Cursor::new(cursor.lenenc_bytes()?);
            match field {
                1 => payload_len = Some(value.lenenc_usize()?),
                2 => algorithm = value.lenenc()?,
                3 => uncompressed_len = value.lenenc()?,
                _ => {}
            }
        }
        let payload = match payload_len {
            Some(len) => cursor.take(len)?,
            None => cursor.take_rest(),
        };
        Ok(Self { algorithm, uncompressed_len, payload })
    }

    /// The events inside, decompressed one at a time. They hold no checksums and no positions.
    ///
    /// `limit` caps the bytes of all of them together.
    pub fn events(&self, limit: u64) -> Result<PayloadEvents<'a>> {
        let source: Box<dyn Read + Send + 'a> = match self.algorithm {
            NONE => Box::new(self.payload),
            ZSTD => {
                let decoder = zstd::Decoder::with_buffer(self.payload);
                Box::new(BufReader::new(decoder.map_err(|error| broken(&error))?))
            }
            other => {
                let what = format!("transaction compression {other} is not supported");
                return Err(
                    DecodeError::unsupported(what).with_hint("set binlog_transaction_compression=OFF on the server")
                );
            }
        };
        Ok(PayloadEvents { source, event: Vec::new(), left: limit, limit })
    }
}

/// Events inside a [`TransactionPayload`], see [`TransactionPayload::events`].
pub struct PayloadEvents<'a> {
    source: Box<dyn Read + Send + 'a>,
    event: Vec<u8>,
    left: u64,
    limit: u64,
}

impl PayloadEvents<'_> {
    /// The next event, parsed by the parser that yielded the payload; `None` behind the last one.
    pub fn next<'e>(&'e mut self, parser: &mut BinlogParser) -> Result<Option<Event<'e>>> {
        if self.read_event()? { parser.parse_inner(&self.event).map(Some) } else { Ok(None) }
    }

    /// Reads the next event into `self.event`; `false` at the end.
    fn read_event(&mut self) -> Result<bool> {
        self.event.clear();
        self.fill(HEADER_LEN as u64)?;
        if self.event.is_empty() {
            return Ok(false);
        }
        let header = EventHeader::read(&self.event)?;
        self.fill(u64::from(header.size) - HEADER_LEN as u64)?;
        if self.event.len() < header.size as usize {
            return Err(DecodeError::malformed("a compressed transaction ends in the middle of an event"));
        }
        Ok(true)
    }

    /// Appends up to `len` bytes to `self.event`, fewer at the end. Memory grows with what really comes.
    fn fill(&mut self, len: u64) -> Result<()> {
        if len > self.left {
            let what = format!("a compressed transaction is larger than the limit of {} bytes", self.limit);
            return Err(DecodeError::new(ErrorKind::Limit, what));
        }
        let read = self.source.by_ref().take(len).read_to_end(&mut self.event).map_err(|error| broken(&error))?;
        self.left -= read as u64;
        Ok(())
    }
}

impl std::fmt::Debug for PayloadEvents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadEvents").field("left", &self.left).finish_non_exhaustive()
    }
}

fn broken(error: &std::io::Error) -> DecodeError {
    DecodeError::malformed(format!("a compressed transaction does not decompress: {error}"))
}

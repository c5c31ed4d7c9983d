//! The bytes of a state, wherever they are: in memory, not yet encoded, or in a file of a checkpoint.
//!
//! States may be larger than memory. So nothing here asks for all of one at once: what is written comes
//! in parts, as they are encoded, and what is restored is read in parts.
//!
//! ```
//! use std::io::Read;
//! use sluice_state::Content;
//!
//! let content = Content::from(b"offset 7".to_vec());
//! let mut start = [0; 6];
//! content.reader().read_exact(&mut start)?;
//! assert_eq!((&start, content.is_empty()), (b"offset", false));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt::{self, Debug};
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sluice_model::{Error, Result};

use crate::storage::{Storage, storage_error};

/// What is read from a file at once.
pub(crate) const CHUNK: usize = 4 << 20;

/// Bytes that are made when they are written; the same ones each time.
pub trait Encode: Debug + Send + Sync {
    /// The bytes in parts of a few MiB.
    fn parts(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + '_>;

    /// About how many they are.
    fn expected(&self) -> u64;
}

/// The bytes of a state.
#[derive(Clone)]
pub struct Content(Kind);

#[derive(Clone)]
enum Kind {
    Memory(Bytes),
    Encode(Arc<dyn Encode>),
    Stored(Arc<Stored>),
}

/// A range of a file that has been verified.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Of the range alone.
    pub(crate) crc32c: u32,
}

impl Content {
    /// Bytes that are made when they are written.
    pub fn encoded(encode: Arc<dyn Encode>) -> Self {
        Self(Kind::Encode(encode))
    }

    /// The same bytes, as long as they are wanted: what is not encoded at `deadline` is the error `late`.
    #[must_use]
    pub fn until(self, deadline: Instant, late: Error) -> Self {
        match self.0 {
            Kind::Encode(encode) => Self::encoded(Arc::new(Limited { encode, deadline, late })),
            there => Self(there),
        }
    }

    pub(crate) fn memory(bytes: Bytes) -> Self {
        Self(Kind::Memory(bytes))
    }

    pub(crate) fn stored(stored: Stored) -> Self {
        Self(Kind::Stored(Arc::new(stored)))
    }

    /// Whether it is certain that there are none.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Memory(bytes) if bytes.is_empty())
    }

    /// The bytes, if they are in memory.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Memory(bytes) => Some(bytes),
            Kind::Encode(_) | Kind::Stored(_) => None,
        }
    }

    /// About how many bytes there are.
    pub(crate) fn expected(&self) -> u64 {
        match &self.0 {
            Kind::Memory(bytes) => bytes.len() as u64,
            Kind::Encode(encode) => encode.expected(),
            Kind::Stored(stored) => stored.length,
        }
    }

    /// Hands out the bytes in parts. May wait for the storage: not for a thread that others wait for.
    ///
    /// # Errors
    /// They cannot be encoded or read, or whatever `each` returns.
    pub fn for_each(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.0 {
            Kind::Memory(bytes) => each(bytes),
            Kind::Encode(encode) => encode.parts().try_for_each(|part| each(&part?)),
            Kind::Stored(stored) => {
                let failed = |error| storage_error("read", &stored.path, &error);
                let mut reader = self.reader();
                loop {
                    let part = reader.fill_buf().map_err(failed)?;
                    if part.is_empty() {
                        return Ok(());
                    }
                    each(part)?;
                    let length = part.len();
                    reader.consume(length);
                }
            }
        }
    }

    /// All bytes at once, for states that are known to be small. Waits as [`for_each`](Self::for_each).
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    pub fn load(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.for_each(&mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Reads the bytes from their beginning, a few MiB at a time. Waits as [`for_each`](Self::for_each).
    pub fn reader(&self) -> Reader<'_> {
        let source = match &self.0 {
            Kind::Memory(bytes) => Source::Once(Some(bytes.clone())),
            Kind::Encode(encode) => Source::Encode(encode.parts()),
            Kind::Stored(stored) => Source::Stored { stored, position: 0, crc32c: 0 },
        };
        Reader { source, buffer: Bytes::new() }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Kind::Memory(bytes.into()))
    }
}

/// Bytes that are not encoded any more when it is too late.
#[derive(Debug)]
struct Limited {
    encode: Arc<dyn Encode>,
    deadline: Instant,
    late: Error,
}

impl Encode for Limited {
    fn parts(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + '_> {
        let mut parts = self.encode.parts();
        let next = move || if Instant::now() < self.deadline { parts.next() } else { Some(Err(self.late.clone())) };
        Box::new(std::iter::from_fn(next))
    }

    fn expected(&self) -> u64 {
        self.encode.expected()
    }
}

/// What is in memory is compared; anything else is equal only to itself.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Memory(one), Kind::Memory(other)) => one == other,
            (Kind::Encode(one), Kind::Encode(other)) => Arc::ptr_eq(one, other),
            (Kind::Stored(one), Kind::Stored(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Content {}

impl Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Memory(bytes) => Debug::fmt(bytes, f),
            Kind::Encode(encode) => Debug::fmt(encode, f),
            Kind::Stored(stored) => write!(f, "{} bytes at {} in {:?}", stored.length, stored.offset, stored.path),
        }
    }
}

/// Reads a [`Content`]. What comes from a file is verified again: an error at its end says that it is
/// not what it was.
pub struct Reader<'a> {
    source: Source<'a>,
    buffer: Bytes,
}

enum Source<'a> {
    Once(Option<Bytes>),
    Encode(Box<dyn Iterator<Item = Result<Vec<u8>>> + 'a>),
    Stored { stored: &'a Stored, position: u64, crc32c: u32 },
}

impl Source<'_> {
    /// The next bytes; none at the end.
    fn next(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Once(bytes) => Ok(bytes.take().unwrap_or_default()),
            Self::Encode(parts) => loop {
                match parts.next().transpose().map_err(io::Error::other)? {
                    Some(part) if part.is_empty() => {}
                    part => return Ok(part.unwrap_or_default().into()),
                }
            },
            Self::Stored { stored, position, crc32c } => {
                let length = (stored.length - *position).min(CHUNK as u64);
                if length == 0 {
                    return Ok(Bytes::new());
                }
                let bytes = stored.storage.read_range(&stored.path, stored.offset + *position, length as usize)?;
                *position += length;
                *crc32c = crc32c::crc32c_append(*crc32c, &bytes);
                if *position == stored.length && *crc32c != stored.crc32c {
                    return Err(io::Error::other("it has changed since it was verified"));
                }
                Ok(bytes)
            }
        }
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer.is_empty() {
            self.buffer = self.source.next()?;
        }
        Ok(&self.buffer)
    }

    fn consume(&mut self, amount: usize) {
        let read = amount.min(self.buffer.len());
        drop(self.buffer.split_to(read));
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let length = bytes.len().min(target.len());
        target[..length].copy_from_slice(&bytes[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// The error of the engine that an error of a reader stands for; `id` names the state.
pub fn read_error(id: &str, error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(known) => known.clone(),
        None => Error::retry(format!("state '{id}' cannot be read from its checkpoint"))
            .because(error.to_string())
            .with_hint("check the storage of the checkpoints"),
    }
}

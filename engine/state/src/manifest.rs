//! The manifest: says what a checkpoint consists of, and makes it one.
//!
//! ```json
//! {"checksum":"9d3e01c2","manifest":{
//!   "format": 1, "engine": "0.1.0", "checkpoint": 7, "kind": "checkpoint", "epoch": 2, "timestamp": 1700000000000,
//!   "job": {"id": "…", "name": "sales", "key": "sales"},
//!   "files": [{"name": "state-2.bin", "length": 12, "crc32c": 305419896}],
//!   "states": [{"id": "source: sales", "subtask": 0, "file": 0, "offset": 0, "length": 12}]
//! }}
//! ```
//!
//! A checkpoint that shares files with others has format 2. Its files with `"shared": true` lie in
//! the directory `shared` beside it, and its states may consist of several parts in their order:
//!
//! ```json
//! {"id": "join", "subtask": 0, "part": "base", "file": 1, …}, {"id": "join", "subtask": 0, "part": {"delta": …}, …}
//! ```
//!
//! The checksum is the CRC-32C of the bytes between `"manifest":` and the last brace, so that the
//! manifest is JSON for every reader and still guarded to the last bit.

use serde::{Deserialize, Serialize};
use sluice_model::{CheckpointId, Error, Result};

use crate::snapshot::{JobIdentity, Part, SnapshotKind};

/// Version of the layout. A reader refuses newer ones.
pub(crate) const FORMAT: u32 = 1;
/// Version of the layout of checkpoints that share files.
pub(crate) const SHARING_FORMAT: u32 = 2;

/// Name of the manifest.
pub(crate) const MANIFEST: &str = "MANIFEST.json";

const HEAD: &str = "{\"checksum\":\"";
const MIDDLE: &str = "\",\"manifest\":";
const TAIL: &str = "}\n";
const DIGITS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// Version of the engine that wrote it.
    pub(crate) engine: String,
    pub(crate) checkpoint: CheckpointId,
    pub(crate) kind: SnapshotKind,
    pub(crate) epoch: u64,
    pub(crate) timestamp: i64,
    pub(crate) job: JobIdentity,
    pub(crate) files: Vec<FileEntry>,
    pub(crate) states: Vec<StateEntry>,
}

/// A file beside the manifest, or in the directory of shared files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    pub(crate) name: String,
    pub(crate) length: u64,
    pub(crate) crc32c: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) shared: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_whole(part: &Part) -> bool {
    *part == Part::Whole
}

/// Where the state of a subtask is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateEntry {
    pub(crate) id: String,
    pub(crate) subtask: usize,
    #[serde(default, skip_serializing_if = "is_whole")]
    pub(crate) part: Part,
    /// Index into the files.
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let body = serde_json::to_string(self)
            .map_err(|error| Error::bug("a manifest cannot be written").because(error.to_string()))?;
        let checksum = crc32c::crc32c(body.as_bytes());
        Ok(format!("{HEAD}{checksum:0DIGITS$x}{MIDDLE}{body}{TAIL}").into_bytes())
    }

    /// Reads and verifies a manifest; the error says in one sentence what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is damaged: not text".to_owned())?;
        let (checksum, body) = text
            .strip_prefix(HEAD)
            .and_then(|rest| rest.split_at_checked(DIGITS))
            .and_then(|(digits, rest)| Some((digits, rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?)))
            .ok_or("the manifest is damaged: it is cut off or not a manifest")?;
        if checksum != format!("{:0DIGITS$x}", crc32c::crc32c(body.as_bytes())) {
            return Err("the manifest is damaged: its checksum does not match".to_owned());
        }
        check_format(body)?;
        serde_json::from_str(body).map_err(|error| format!("the manifest cannot be read: {error}"))
    }
}

fn check_format(body: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let found: Format = serde_json::from_str(body).map_err(|error| format!("the manifest cannot be read: {error}"))?;
    if (FORMAT..=SHARING_FORMAT).contains(&found.format) {
        return Ok(());
    }
    Err(format!("its format version is {}, this engine reads versions {FORMAT} to {SHARING_FORMAT}", found.format))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            engine: "0.1.0".into(),
            checkpoint: 7,
            kind: SnapshotKind::Checkpoint,
            epoch: 2,
            timestamp: 1,
            job: JobIdentity { id: "a".into(), name: "ü \"sales\"".into(), key: "k".into() },
            files: vec![FileEntry { name: "state-2.bin".into(), length: 3, crc32c: 4, shared: false }],
            states: vec![StateEntry { id: "s".into(), subtask: 0, part: Part::Whole, file: 0, offset: 0, length: 3 }],
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let bytes = manifest().encode().unwrap();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest());
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["manifest"]["checkpoint"], 7);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let bytes = manifest().encode().unwrap();
        for position in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[position / 8] ^= 1 << (position % 8);
            assert!(Manifest::decode(&flipped).is_err(), "bit {position}");
        }
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_number() {
        let bytes = Manifest { format: 9, ..manifest() }.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes).unwrap_err(), "its format version is 9, this engine reads versions 1 to 2");
    }
}

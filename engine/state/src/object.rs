//! Checkpoints in a bucket: the steps of [`Storage`] as requests to an object store.
//!
//! An object is there whole or not at all, and durable when the store has answered, so that nothing
//! has to be synced. Directories do not exist; one that must be seen although it is empty (it takes
//! a checkpoint's number) holds the empty object `.directory`:
//!
//! ```text
//! s3://bucket/checkpoints/sales/epochs/0000000001.json
//! s3://bucket/checkpoints/sales/chk-6/.directory
//! s3://bucket/checkpoints/sales/chk-6/MANIFEST.json
//! s3://bucket/checkpoints/sales/chk-6/state-1.bin
//! ```
//!
//! Two processes are kept apart by conditional writes: `If-None-Match: *` makes an object only if
//! there is none of that name. A store that does not look at it is found out by [`Storage::probe`].
//!
//! A request whose answer was lost may have been carried out. Sent again, a conditional write then
//! meets its own object; its content tells, because all content names the epoch of its writer.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use sluice_model::{Error, Reaction, Result};
use tokio::runtime::Handle;

use crate::object_failure::{is_unanswered, to_io};
use crate::object_upload::ObjectUpload;
use crate::storage::{Failure, Storage, Upload, failure, storage_error};

/// Objects beyond this come back in such ranges: a request that fails costs this much, and no request
/// outlasts its timeout on a slow line.
const PART: usize = 16 << 20;
/// Parts under way at the same time.
const CONCURRENCY: usize = 4;
/// How often a conditional write is sent again whose answer was lost.
const REPEATS: u32 = 3;
/// Makes a directory visible that holds nothing else.
const MARKER: &str = ".directory";

pub(crate) type StoreResult<T> = object_store::Result<T>;

/// A bucket of an object store.
#[derive(Debug)]
pub(crate) struct ObjectStorage {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// `s3://bucket`: what all paths begin with.
    root: String,
    /// The server as errors name it, without secrets.
    server: String,
    /// Whether it has shown that it can be used.
    is_probed: AtomicBool,
}

impl ObjectStorage {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: String, server: String) -> Self {
        Self { store, root, server, is_probed: AtomicBool::new(false) }
    }

    /// The name of an object: its path without `s3://bucket/`.
    fn key(&self, path: &Path) -> io::Result<Key> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("it does not lie in '{}'", self.root));
        let below = path.to_str().and_then(|text| text.strip_prefix(&self.root)).ok_or_else(invalid)?;
        if !below.is_empty() && !below.starts_with('/') {
            return Err(invalid());
        }
        Key::parse(below).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }

    /// Waits for a request. Only on threads that may block, which all steps of a storage are on.
    pub(crate) fn wait<T>(&self, request: impl Future<Output = StoreResult<T>>) -> io::Result<T> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        runtime.block_on(request).map_err(|error| to_io(&error, &self.server))
    }

    /// Makes an object that must not be there yet.
    pub(crate) async fn create_new(&self, key: &Key, content: Bytes) -> StoreResult<()> {
        let mut repeats = 0;
        loop {
            let options = PutOptions::from(PutMode::Create);
            let error = match self.store.put_opts(key, content.clone().into(), options).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let error = match error {
                // An empty object is nobody's: who claims by it takes the next name.
                StoreError::AlreadyExists { .. } if content.is_empty() => return Err(error),
                StoreError::AlreadyExists { .. } => match self.find(key, content.len()).await? {
                    Some(found) if found == content => return Ok(()),
                    Some(_) => return Err(error),
                    // Two conditional writes at the same time: S3 may refuse both.
                    None => {
                        StoreError::Generic { store: "object store", source: "conflicting conditional writes".into() }
                    }
                },
                other if is_unanswered(&other) => other,
                other => return Err(other),
            };
            if repeats == REPEATS {
                return Err(error);
            }
            repeats += 1;
            tokio::time::sleep(Duration::from_millis(50) * 4_u32.pow(repeats)).await;
        }
    }

    /// The content of an object; `None` if it is not there, empty if it is not of this length.
    async fn find(&self, key: &Key, length: usize) -> StoreResult<Option<Bytes>> {
        match self.store.get(key).await {
            Ok(found) if found.meta.size == length as u64 => found.bytes().await.map(Some),
            Ok(_) => Ok(Some(Bytes::new())),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn download(&self, key: &Key) -> StoreResult<Vec<u8>> {
        let found = self.store.get(key).await?;
        let (size, part) = (found.meta.size, PART as u64);
        if size <= part {
            return Ok(found.bytes().await?.to_vec());
        }
        drop(found);
        let ranges = (0..size.div_ceil(part)).map(|index| index * part..((index + 1) * part).min(size));
        let requests = ranges.map(|range| self.store.get_range(key, range));
        let mut parts = stream::iter(requests).buffered(CONCURRENCY);
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        while let Some(bytes) = parts.try_next().await? {
            content.extend_from_slice(&bytes);
        }
        Ok(content)
    }

    /// Makes an object twice; says whether the second time was refused.
    async fn refuses_second(&self, key: &Key) -> StoreResult<bool> {
        // Nobody else knows the name: if the first is refused, its own answer was lost before.
        let second = match self.create_new(key, Bytes::new()).await {
            Ok(()) => self.create_new(key, Bytes::new()).await,
            refused => refused,
        };
        if let Ok(()) | Err(StoreError::AlreadyExists { .. }) = &second {
            self.store.delete(key).await?;
        }
        match second {
            Ok(()) => Ok(false),
            Err(StoreError::AlreadyExists { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Storage for ObjectStorage {
    fn probe(&self, dir: &Path) -> Result<()> {
        if self.is_probed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = dir.join(format!(".probe-{}", uuid::Uuid::new_v4().simple()));
        let refuses = self.key(&path).and_then(|key| self.wait(self.refuses_second(&key)));
        match refuses {
            Ok(true) => {
                self.is_probed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(false) => Err(overwrites(dir, &self.server)),
            Err(error) => Err(match failure(&error) {
                Some(Failure { why, hint, reaction: Reaction::Fix }) => {
                    Error::fix(format!("cannot write to '{}'", dir.display())).because(why).with_hint(hint)
                }
                _ => storage_error("write to", dir, &error),
            }),
        }
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let key = self.key(&path.join(MARKER))?;
        self.wait(self.store.put(&key, Bytes::new().into())).map(|_| ())
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let key = self.key(path)?;
        self.wait(self.create_new(&key, Bytes::copy_from_slice(content)))
    }

    fn create(&self, path: &Path, expected: u64) -> io::Result<Box<dyn Upload + '_>> {
        Ok(Box::new(ObjectUpload::new(self, self.key(path)?, expected)))
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.key(from)?, self.key(to)?);
        self.wait(async {
            let content = self.download(&from).await?;
            self.store.put(&to, content.into()).await?;
            self.store.delete(&from).await
        })
    }

    fn link_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.key(from)?, self.key(to)?);
        self.wait(async {
            let content = self.download(&from).await?;
            self.create_new(&to, content.into()).await
        })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let key = self.key(path)?;
        self.wait(self.download(&key))
    }

    fn read_range(&self, path: &Path, offset: u64, length: usize) -> io::Result<Bytes> {
        let key = self.key(path)?;
        self.wait(self.store.get_range(&key, offset..offset + length as u64))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let key = self.key(path)?;
        self.wait(self.store.head(&key)).map(|found| found.size)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let key = self.key(path)?;
        let prefix = (!key.as_ref().is_empty()).then_some(&key);
        let found = self.wait(self.store.list_with_delimiter(prefix))?;
        let objects = found.objects.iter().map(|object| &object.location);
        let names = found.common_prefixes.iter().chain(objects).filter_map(Key::filename);
        Ok(names.filter(|name| *name != MARKER).map(str::to_owned).collect())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let key = self.key(path)?;
        self.wait(self.store.delete(&key))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.remove_file(&path.join(MARKER))
    }
}

fn overwrites(dir: &Path, server: &str) -> Error {
    Error::fix(format!("'{}' cannot hold checkpoints: its store overwrites objects that are to be new", dir.display()))
        .because(format!("{server} takes a write with 'If-None-Match: *' although the object is there"))
        .with_hint(
            "two processes of one job could not be kept apart; use a store with conditional writes, such as S3, R2 or \
             a current MinIO",
        )
}

//! An object that is written in parts while its content is made.
//!
//! A small one is a single conditional write. A larger one is a multipart upload: some parts are on their
//! way while the next is filled, so that memory is taken for these alone, however large the object is.
//!
//! ```text
//! write 5 MiB   write 5 MiB             write 5 MiB             finish
//!               part 1 (8 MiB) is sent  (7 MiB wait)            part 2 (7 MiB) is sent, both are waited for
//! ```

use std::io;

use object_store::path::Path as Key;
use object_store::{Error as StoreError, MultipartUpload, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::object::{ObjectStorage, StoreResult};
use crate::storage::Upload;

/// Size of a part, unless that makes too many.
const PART: u64 = 8 << 20;
/// An upload may have 10,000 parts, and the length that is expected is not exact.
const PARTS: u64 = 5000;
/// Parts under way at the same time.
const CONCURRENCY: usize = 2;

/// See the module.
pub(crate) struct ObjectUpload<'a> {
    storage: &'a ObjectStorage,
    key: Key,
    part: usize,
    /// What does not fill a part yet.
    waiting: Vec<u8>,
    sent: Option<Sent>,
}

/// A multipart upload that has begun.
struct Sent {
    upload: Box<dyn MultipartUpload>,
    parts: JoinSet<StoreResult<()>>,
}

impl<'a> ObjectUpload<'a> {
    pub(crate) fn new(storage: &'a ObjectStorage, key: Key, expected: u64) -> Self {
        let part = PART.max((expected / PARTS).next_multiple_of(1 << 20)) as usize;
        Self { storage, key, part, waiting: Vec::new(), sent: None }
    }

    fn send(&mut self, part: Vec<u8>) -> io::Result<()> {
        let (storage, key) = (self.storage, &self.key);
        if self.sent.is_none() {
            let upload = storage.wait(begin(storage, key))?;
            self.sent = Some(Sent { upload, parts: JoinSet::new() });
        }
        let Some(sent) = &mut self.sent else { return Ok(()) };
        while sent.parts.len() >= CONCURRENCY {
            storage.wait(sent.next())?;
        }
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        sent.parts.spawn_on(sent.upload.put_part(part.into()), &runtime);
        Ok(())
    }

    fn complete(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.waiting);
        if self.sent.is_none() {
            return self.storage.wait(self.storage.create_new(&self.key, rest.into()));
        }
        if !rest.is_empty() {
            self.send(rest)?;
        }
        let Some(sent) = &mut self.sent else { return Ok(()) };
        self.storage.wait(async {
            while !sent.parts.is_empty() {
                sent.next().await?;
            }
            sent.upload.complete().await.map(|_| ())
        })
    }
}

/// That the object must not be there is looked up before, not atomically: those who write that much use
/// names of their own.
async fn begin(storage: &ObjectStorage, key: &Key) -> StoreResult<Box<dyn MultipartUpload>> {
    match storage.store.head(key).await {
        Ok(_) => {
            let source = "found before the upload".into();
            Err(StoreError::AlreadyExists { path: key.to_string(), source })
        }
        Err(StoreError::NotFound { .. }) => storage.store.put_multipart(key).await,
        Err(error) => Err(error),
    }
}

impl Sent {
    /// Waits for one of the parts.
    async fn next(&mut self) -> StoreResult<()> {
        match self.parts.join_next().await {
            None => Ok(()),
            Some(joined) => joined.map_err(|source| StoreError::JoinError { source })?,
        }
    }
}

impl Upload for ObjectUpload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        // One that is exactly full may be the last, and the only one.
        while self.waiting.len() > self.part {
            let rest = self.waiting.split_off(self.part);
            let part = std::mem::replace(&mut self.waiting, rest);
            self.send(part)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let completed = self.complete();
        if completed.is_err() {
            self.abandon();
        }
        completed
    }

    /// What stays if this fails is invisible; the bucket's lifecycle rule for incomplete uploads removes it.
    fn abandon(mut self: Box<Self>) {
        if let Some(Sent { upload, parts }) = &mut self.sent {
            let abort = async {
                parts.shutdown().await;
                upload.abort().await
            };
            self.storage.wait(abort).ok();
        }
    }
}

//! Storages that die at a step of choice, for tests of those who keep checkpoints on them.
//!
//! Each has a directory, `crash://3`, that is used like any other. The process that is at work when its
//! time has come cannot read or write any more; the next one finds what a disk or a bucket would have.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use sluice_state::testing::{CrashStorage, FATES};
//! use sluice_state::{CheckpointStore, JobIdentity, Restore, S3Options};
//!
//! let storage = CrashStorage::new(FATES[0]);
//! let job = JobIdentity { id: "a1".into(), name: "sales".into(), key: "sales".into() };
//! let store = || CheckpointStore::new(&storage.directory(), &S3Options::default(), job.clone(), 3).unwrap();
//! storage.die_at(5);
//! store().begin(Restore::Latest).await.unwrap_err();
//! assert!(storage.is_dead());
//! storage.restart();
//! store().begin(Restore::Latest).await.unwrap();
//! # }
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crash_disk::Unsynced;
use crate::crash_store::LastRequest;
use crate::location::{Place, Storages};
use crate::machine::{BucketMachine, DiskMachine, Machine};

/// What the storage is, and what becomes of what was not yet safe when it died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A disk: the process was killed, the machine went on.
    DiskKept,
    /// A disk whose power failed: what was not synced is gone.
    DiskLost,
    /// A disk whose power failed: names are there, contents are not.
    DiskNamesKept,
    /// A bucket: the last request never got there.
    BucketLost,
    /// A bucket: the last request was carried out, and nobody heard of it.
    BucketUnanswered,
}

/// All of them.
pub const FATES: [Fate; 5] =
    [Fate::DiskKept, Fate::DiskLost, Fate::DiskNamesKept, Fate::BucketLost, Fate::BucketUnanswered];

#[derive(Debug)]
enum AnyMachine {
    Disk(DiskMachine, Unsynced),
    Bucket(BucketMachine, LastRequest),
}

/// The storages of the process, by number.
static MACHINES: Mutex<BTreeMap<u64, AnyMachine>> = Mutex::new(BTreeMap::new());

fn machines() -> MutexGuard<'static, BTreeMap<u64, AnyMachine>> {
    MACHINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
#[derive(Debug)]
pub struct CrashStorage {
    number: u64,
}

const SCHEME: &str = "crash://";

impl CrashStorage {
    /// A storage without anything on it.
    pub fn new(fate: Fate) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let machine = match fate {
            Fate::DiskKept => AnyMachine::Disk(DiskMachine::default(), Unsynced::Kept),
            Fate::DiskLost => AnyMachine::Disk(DiskMachine::default(), Unsynced::Lost),
            Fate::DiskNamesKept => AnyMachine::Disk(DiskMachine::default(), Unsynced::NamesKept),
            Fate::BucketLost => AnyMachine::Bucket(BucketMachine::default(), LastRequest::Lost),
            Fate::BucketUnanswered => AnyMachine::Bucket(BucketMachine::default(), LastRequest::Unanswered),
        };
        machines().insert(number, machine);
        Self { number }
    }

    /// The directory to keep checkpoints in.
    pub fn directory(&self) -> String {
        format!("{SCHEME}{}", self.number)
    }

    /// It dies at step `step` from now, counted from 0.
    pub fn die_at(&self, step: usize) {
        self.with(|machine| match machine {
            AnyMachine::Disk(disk, fate) => disk.die_at(step, *fate),
            AnyMachine::Bucket(bucket, fate) => bucket.die_at(step, *fate),
        });
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.with(|machine| match machine {
            AnyMachine::Disk(disk, _) => disk.is_dead(),
            AnyMachine::Bucket(bucket, _) => bucket.is_dead(),
        })
    }

    /// The next process finds what is left. The one before stays without a storage.
    pub fn restart(&self) {
        self.with(|machine| {
            *machine = match machine {
                AnyMachine::Disk(disk, fate) => {
                    disk.kill();
                    AnyMachine::Disk(disk.after_crash(*fate), *fate)
                }
                AnyMachine::Bucket(bucket, fate) => {
                    bucket.kill();
                    AnyMachine::Bucket(bucket.after_crash(*fate), *fate)
                }
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut AnyMachine) -> T) -> T {
        act(machines().get_mut(&self.number).expect("it is there as long as its handle"))
    }
}

impl Drop for CrashStorage {
    fn drop(&mut self) {
        machines().remove(&self.number);
    }
}

/// The storage that a directory names, if it is one of these.
pub(crate) fn place(text: &str) -> Option<Place> {
    let number = text.strip_prefix(SCHEME)?.parse().ok()?;
    let machines = machines();
    let (storages, root) = match machines.get(&number)? {
        AnyMachine::Disk(disk, _) => (disk.storages(), DiskMachine::ROOT),
        AnyMachine::Bucket(bucket, _) => (bucket.storages(), BucketMachine::ROOT),
    };
    let Storages::Only(storage) = storages else { return None };
    Some(Place { storage: Arc::clone(&storage), path: PathBuf::from(root) })
}

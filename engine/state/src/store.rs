//! The store of a job's checkpoints, and the writer that an attempt gets.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_model::{CheckpointId, Error, Result};

use crate::directory;
use crate::epoch::{Began, EpochRecord, Epochs};
use crate::lineage::{Candidate, Lineage, entries};
use crate::location::{self, Place, Storages};
use crate::manifest::MANIFEST;
use crate::packing::{Chains, shared_dir};
use crate::reading::{self, Unreadable};
use crate::s3::S3Options;
use crate::snapshot::{Checkpoint, JobIdentity, Published, SkippedCheckpoint, Snapshot};
use crate::storage::{Storage, storage_error};

/// Where an attempt of a job begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Restore {
    /// From nothing; checkpoints of former runs are no longer taken into account.
    #[default]
    Fresh,
    /// From the newest valid checkpoint of the run before; from nothing if there was none.
    Latest,
    /// From this checkpoint or savepoint.
    Path(String),
}

/// The checkpoints of one job.
#[derive(Debug, Clone)]
pub struct CheckpointStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// For what a path names, which may lie elsewhere than `dir`.
    storages: Storages,
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    epochs: Epochs,
    job: JobIdentity,
    retained: usize,
    /// Shared files that have been read back.
    verified: Mutex<HashSet<String>>,
}

/// An attempt that has begun: its writer, and what it goes on from.
#[derive(Debug)]
pub struct Attempt {
    /// Fencing epoch: higher than that of every attempt before.
    pub epoch: u64,
    /// Number for its first checkpoint: higher than any that was used before.
    pub next_checkpoint: CheckpointId,
    /// What it restores; `None` if it starts from nothing.
    pub restored: Option<Checkpoint>,
    /// Newer checkpoints that are damaged, and why. To be told to the user.
    pub skipped: Vec<SkippedCheckpoint>,
    /// Writes the attempt's checkpoints.
    pub writer: CheckpointWriter,
}

/// Writes checkpoints until a newer attempt begins.
#[derive(Debug, Clone)]
pub struct CheckpointWriter {
    store: Arc<Shared>,
    record: Arc<EpochRecord>,
    /// What its next checkpoint may refer to.
    chains: Arc<Mutex<Chains>>,
}

impl CheckpointStore {
    /// The store below `checkpoint_dir` (a path, `file:` or `s3:` URL) in the directory of the job's key.
    ///
    /// # Errors
    /// A scheme that is not supported, options of S3 that do not fit, or a key that is not a name.
    pub fn new(checkpoint_dir: &str, s3: &S3Options, job: JobIdentity, retained: usize) -> Result<Self> {
        Self::on(Storages::All(s3.clone()), checkpoint_dir, job, retained)
    }

    pub(crate) fn on(storages: Storages, checkpoint_dir: &str, job: JobIdentity, retained: usize) -> Result<Self> {
        location::check_key(&job.key)?;
        let Place { storage, path } = storages.place(checkpoint_dir)?;
        let dir = path.join(&job.key);
        let epochs = Epochs::of_job(&dir);
        let verified = Mutex::default();
        Ok(Self(Arc::new(Shared { storages, storage, dir, epochs, job, retained, verified })))
    }

    /// Begins an attempt: fences all earlier ones, finds what to restore and writes that down.
    ///
    /// # Errors
    /// The storage failed, or checkpoints are there but all of them are damaged: then starting from
    /// nothing would be wrong, and is left to the user.
    pub async fn begin(&self, restore: Restore) -> Result<Attempt> {
        let shared = Arc::clone(&self.0);
        blocking(move || shared.begin(restore)).await
    }

    /// The newest checkpoint that a restart would use, without beginning one, and damaged newer ones.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn latest_valid(&self) -> Result<(Option<Checkpoint>, Vec<SkippedCheckpoint>)> {
        let shared = Arc::clone(&self.0);
        blocking(move || {
            let (found, skipped) = shared.latest()?;
            Ok((found.map(|(_, checkpoint)| checkpoint), skipped))
        })
        .await
    }
}

impl CheckpointWriter {
    /// Takes a number for a checkpoint that is about to be taken, durably: no later attempt uses it
    /// again, whatever becomes of this one. Sinks may tell their transactions apart by it.
    ///
    /// Returns the checkpoint that it may build on ([`Part::Delta`](crate::Part)), if there is one: the
    /// newest that this writer has stored, as long as all its files are there.
    ///
    /// # Errors
    /// The storage failed, or a newer attempt has begun: then there is no use in taking it.
    pub async fn reserve(&self, checkpoint: CheckpointId) -> Result<Option<CheckpointId>> {
        let writer = self.clone();
        blocking(move || {
            writer.store.reserve(&writer.record, checkpoint)?;
            writer.store.intact(&lock(&writer.chains))
        })
        .await
    }

    /// Stores a snapshot. When this returns it is durable.
    ///
    /// # Errors
    /// The storage failed (then nothing was stored), or a newer attempt has begun.
    pub async fn write(&self, snapshot: Snapshot) -> Result<Published> {
        let writer = self.clone();
        blocking(move || {
            let mut chains = lock(&writer.chains);
            let (published, next) = writer.store.write(&writer.record, &snapshot, &chains)?;
            *chains = next;
            Ok(published)
        })
        .await
    }

    /// Removes checkpoints beyond the number to retain. Savepoints are never removed.
    ///
    /// # Errors
    /// The storage failed; what could not be removed is tried again next time.
    pub async fn clean(&self) -> Result<()> {
        let shared = Arc::clone(&self.store);
        blocking(move || {
            let Shared { storage, dir, epochs, retained, verified, .. } = shared.as_ref();
            crate::retention::clean(storage.as_ref(), dir, epochs, *retained, &mut lock(verified))
        })
        .await
    }
}

impl Shared {
    fn begin(self: Arc<Self>, restore: Restore) -> Result<Attempt> {
        let storage = self.storage.as_ref();
        storage.probe(&self.dir)?;
        let epoch = self.epochs.claim(storage)?;
        let (found, skipped) = match restore {
            Restore::Fresh => (None, Vec::new()),
            Restore::Latest => self.latest()?,
            Restore::Path(path) => {
                let checkpoint = open_on(&self.storages, &path)?;
                (Some((Began::Path(checkpoint.path.clone()), checkpoint)), Vec::new())
            }
        };
        let highest = entries(storage, &self.dir)?.last().map_or(0, |entry| entry.id);
        let restored_id = found.as_ref().map_or(0, |(_, checkpoint)| checkpoint.id);
        let next_checkpoint = highest.max(restored_id) + 1;
        let began = found.as_ref().map_or(Began::Fresh, |(began, _)| began.clone());
        let record = EpochRecord { epoch, began, next_checkpoint };
        self.epochs.record(storage, &record)?;
        let restored = found.map(|(_, checkpoint)| checkpoint);
        let writer = CheckpointWriter { store: Arc::clone(&self), record: Arc::new(record), chains: Arc::default() };
        Ok(Attempt { epoch, next_checkpoint, restored, skipped, writer })
    }

    #[allow(clippy::type_complexity, reason = "used twice, both times taken apart at once")]
    fn latest(&self) -> Result<(Option<(Began, Checkpoint)>, Vec<SkippedCheckpoint>)> {
        let storage = self.storage.as_ref();
        let lineage = Lineage::follow(&self.epochs.records(storage)?, &entries(storage, &self.dir)?);
        let mut skipped = Vec::new();
        for candidate in lineage.candidates {
            let read = read_candidate(&self.storages, &self.storage, &candidate);
            let Candidate { path, began } = candidate;
            match read {
                Ok(checkpoint) => {
                    let newer = |damaged: &SkippedCheckpoint| number(&damaged.path) > number(&checkpoint.path);
                    skipped.extend(lineage.damaged.into_iter().filter(newer));
                    return Ok((Some((began, checkpoint)), skipped));
                }
                Err(Unreadable::Damaged(why)) => {
                    skipped.push(SkippedCheckpoint { path: path.display().to_string(), why });
                }
                Err(Unreadable::Unavailable(error)) => return Err(error),
            }
        }
        skipped.extend(lineage.damaged);
        if skipped.is_empty() { Ok((None, skipped)) } else { Err(all_damaged(&self.dir, &skipped)) }
    }

    fn reserve(&self, record: &EpochRecord, checkpoint: CheckpointId) -> Result<()> {
        let storage = self.storage.as_ref();
        self.epochs.check(storage, record)?;
        directory::create(storage, &self.checkpoint_dir(checkpoint))
    }

    /// Somebody may have removed what the next checkpoint would refer to.
    fn intact(&self, chains: &Chains) -> Result<Option<CheckpointId>> {
        if chains.is_empty() {
            return Ok(chains.intact(&[]));
        }
        let dir = shared_dir(&self.dir);
        let names = self.storage.list(&dir).map_err(|error| storage_error("list", &dir, &error))?;
        Ok(chains.intact(&names))
    }

    fn checkpoint_dir(&self, checkpoint: CheckpointId) -> PathBuf {
        self.dir.join(format!("chk-{checkpoint}"))
    }

    fn write(&self, record: &EpochRecord, snapshot: &Snapshot, chains: &Chains) -> Result<(Published, Chains)> {
        let storage = self.storage.as_ref();
        let dir = self.checkpoint_dir(snapshot.checkpoint);
        self.epochs.check(storage, record)?;
        let prepared = directory::prepare(storage, &dir, &self.job, record.epoch, snapshot, Some(chains))?;
        if let Err(error) = self.epochs.check(storage, record) {
            prepared.discard(storage);
            return Err(error);
        }
        let published = prepared.publish(storage)?;
        // An attempt that began in between has restored this checkpoint, and does with it what is to be
        // done, or has not seen it, and then it is out of the lineage. Here it must not count in either case.
        self.epochs.check(storage, record)?;
        Ok(published)
    }
}

/// The number in `…/chk-7`; savepoints have none, and count as older than all.
fn number(path: &str) -> Option<CheckpointId> {
    path.rsplit("chk-").next()?.parse().ok()
}

fn all_damaged(dir: &Path, skipped: &[SkippedCheckpoint]) -> Error {
    let list: Vec<_> = skipped.iter().map(|skipped| format!("{}: {}", skipped.path, skipped.why)).collect();
    Error::fix(format!("no checkpoint in '{}' can be restored", dir.display()))
        .because(list.join("; "))
        .with_hint("restore a savepoint by its path ('execution.state-recovery.path'), or start the job fresh")
}

/// Reads what a lineage ends in or passes through; the former may lie on another storage.
fn read_candidate(
    storages: &Storages,
    storage: &Arc<dyn Storage>,
    candidate: &Candidate,
) -> Result<Checkpoint, Unreadable> {
    match &candidate.began {
        Began::Path(text) => {
            let place = storages.place(text).map_err(Unreadable::Unavailable)?;
            reading::read(&place.storage, &place.path)
        }
        Began::Fresh | Began::Checkpoint { .. } => reading::read(storage, &candidate.path),
    }
}

/// Opens a checkpoint or savepoint by its path: its directory, its manifest, or the directory of a
/// job's checkpoints, whose newest valid one is taken.
///
/// # Errors
/// It is not there, not complete, or damaged.
pub async fn open(path: &str, s3: &S3Options) -> Result<Checkpoint> {
    let (path, storages) = (path.to_owned(), Storages::All(s3.clone()));
    blocking(move || open_on(&storages, &path)).await
}

pub(crate) fn open_on(storages: &Storages, text: &str) -> Result<Checkpoint> {
    let Place { storage: shared, path } = storages.place(text)?;
    let storage = shared.as_ref();
    let names_manifest = path.file_name().is_some_and(|name| name == MANIFEST);
    let dir = if names_manifest { path.parent().unwrap_or(&path).to_owned() } else { path };
    let names = storage.list(&dir).map_err(|error| storage_error("read", &dir, &error))?;
    if names.iter().any(|name| name == MANIFEST) {
        return reading::read(&shared, &dir).map_err(|error| match error {
            Unreadable::Damaged(why) => Error::fix(format!("checkpoint '{}' cannot be restored", dir.display()))
                .because(why)
                .with_hint("choose an older checkpoint or a savepoint"),
            Unreadable::Unavailable(error) => error,
        });
    }
    let lineage = Lineage::follow(&Epochs::of_job(&dir).records(storage)?, &entries(storage, &dir)?);
    for candidate in &lineage.candidates {
        match read_candidate(storages, &shared, candidate) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(Unreadable::Damaged(_)) => {}
            Err(Unreadable::Unavailable(error)) => return Err(error),
        }
    }
    Err(Error::fix(format!("there is no complete checkpoint at '{}'", dir.display()))
        .with_hint("name a directory such as …/chk-7 or …/savepoint-4f1c22-9b2e0c51d7aa, or the MANIFEST.json in it"))
}

/// Stores a snapshot in a new directory below `dir`, for the user to keep. Durable when it returns.
///
/// # Errors
/// A scheme that is not supported, or the storage failed.
pub async fn write_savepoint(
    dir: &str,
    s3: &S3Options,
    job: &JobIdentity,
    epoch: u64,
    snapshot: Snapshot,
) -> Result<Published> {
    let (dir, storages, job) = (dir.to_owned(), Storages::All(s3.clone()), job.clone());
    blocking(move || write_savepoint_on(&storages, &dir, &job, epoch, &snapshot)).await
}

pub(crate) fn write_savepoint_on(
    storages: &Storages,
    dir: &str,
    job: &JobIdentity,
    epoch: u64,
    snapshot: &Snapshot,
) -> Result<Published> {
    let Place { storage, path } = storages.place(dir)?;
    // Flink's form: savepoint-<start of the job id>-<random>.
    let job_part: String = job.id.chars().take(6).collect();
    let random: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
    let dir = path.join(format!("savepoint-{job_part}-{random}"));
    let (published, _) =
        directory::prepare(storage.as_ref(), &dir, job, epoch, snapshot, None)?.publish(storage.as_ref())?;
    Ok(published)
}

/// Whoever panicked while holding it has left it as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::bug("checkpoint storage panicked").because(error.to_string())),
    }
}

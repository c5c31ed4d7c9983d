//! What checkpoints are tested on: a disk and a bucket, both of which die when told to.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::crash_disk::{CrashDisk, Unsynced};
use crate::crash_store::{CrashStore, LastRequest};
use crate::location::Storages;
use crate::object::ObjectStorage;
use crate::{CheckpointStore, Content, JobIdentity};

pub(crate) trait Machine: Debug + Default + Sized + 'static {
    /// What becomes of what was not yet safe when it died.
    type Fate: Copy + Debug + PartialEq;
    const FATES: &[Self::Fate];
    /// Where checkpoints go.
    const ROOT: &'static str;
    /// Steps that a test which dies at each has at least.
    const STEPS: usize;

    fn storages(&self) -> Storages;
    /// It dies at step `step` from now, counted from 0.
    fn die_at(&self, step: usize, fate: Self::Fate);
    fn is_dead(&self) -> bool;
    /// It dies now.
    fn kill(&self);
    /// What the next process finds.
    fn after_crash(&self, fate: Self::Fate) -> Self;
    /// Changes the content of a file below the root behind everybody's back.
    fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>));
    /// Files below the root.
    fn files(&self) -> Vec<String>;
    /// Removes them all.
    fn remove_all(&self);

    fn store(&self) -> CheckpointStore {
        self.store_of(job())
    }

    fn store_of(&self, job: JobIdentity) -> CheckpointStore {
        CheckpointStore::on(self.storages(), Self::ROOT, job, 3).unwrap()
    }
}

pub(crate) fn job() -> JobIdentity {
    JobIdentity { id: "0123456789abcdef0123456789abcdef".into(), name: "sales".into(), key: "sales".into() }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// All bytes of a state, wherever they are.
pub(crate) fn load(content: &Content) -> Vec<u8> {
    let content = content.clone();
    run(async { tokio::task::spawn_blocking(move || content.load().unwrap()).await.unwrap() })
}

#[derive(Debug, Default)]
pub(crate) struct DiskMachine(Arc<CrashDisk>);

impl Machine for DiskMachine {
    type Fate = Unsynced;
    const FATES: &[Unsynced] = &[Unsynced::Kept, Unsynced::Lost, Unsynced::NamesKept];
    const ROOT: &'static str = "/state";
    const STEPS: usize = 100;

    fn storages(&self) -> Storages {
        Storages::Only(Arc::clone(&self.0) as _)
    }

    fn die_at(&self, step: usize, _fate: Unsynced) {
        self.0.die_at(step);
    }

    fn is_dead(&self) -> bool {
        self.0.is_dead()
    }

    fn kill(&self) {
        self.0.kill();
    }

    fn after_crash(&self, fate: Unsynced) -> Self {
        Self(Arc::new(self.0.after_crash(fate)))
    }

    fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.0.damage(&Path::new(Self::ROOT).join(file), change);
    }

    fn files(&self) -> Vec<String> {
        let below = |path: PathBuf| path.strip_prefix(Self::ROOT).map(|path| path.display().to_string());
        self.0.files().into_iter().filter_map(|path| below(path).ok()).collect()
    }

    fn remove_all(&self) {
        self.0.remove_all();
    }
}

#[derive(Debug, Default)]
pub(crate) struct BucketMachine(pub(crate) CrashStore);

impl Machine for BucketMachine {
    type Fate = LastRequest;
    const FATES: &[LastRequest] = &[LastRequest::Lost, LastRequest::Unanswered];
    const ROOT: &'static str = "s3://bucket/state";
    const STEPS: usize = 60;

    fn storages(&self) -> Storages {
        let store = Arc::new(self.0.clone());
        Storages::Only(Arc::new(ObjectStorage::new(store, "s3://bucket".into(), "memory".into())))
    }

    fn die_at(&self, step: usize, fate: LastRequest) {
        self.0.die_at(step, fate);
    }

    fn is_dead(&self) -> bool {
        self.0.is_dead()
    }

    fn kill(&self) {
        self.0.kill();
    }

    fn after_crash(&self, _fate: LastRequest) -> Self {
        Self(self.0.after_crash())
    }

    fn damage(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let key = Key::parse(format!("state/{file}")).unwrap();
        run(async {
            let mut content = self.0.objects.get(&key).await.unwrap().bytes().await.unwrap().to_vec();
            change(&mut content);
            self.0.objects.put(&key, content.into()).await.unwrap();
        });
    }

    fn files(&self) -> Vec<String> {
        let objects = run(self.0.objects.list(None).try_collect::<Vec<_>>()).unwrap();
        let below = |key: &Key| key.as_ref().strip_prefix("state/").map(str::to_owned);
        objects.iter().filter_map(|object| below(&object.location)).collect()
    }

    fn remove_all(&self) {
        let keys = self.files().into_iter().map(|file| Key::parse(format!("state/{file}")).unwrap());
        run(async {
            for key in keys {
                self.0.objects.delete(&key).await.unwrap();
            }
        });
    }
}

/// Runs each of the functions that it names on both machines.
#[cfg(test)]
macro_rules! on_both {
    ($($test:ident)*) => {
        mod disk {
            $(#[test] fn $test() { super::$test::<$crate::machine::DiskMachine>(); })*
        }
        mod bucket {
            $(#[test] fn $test() { super::$test::<$crate::machine::BucketMachine>(); })*
        }
    };
}

#[cfg(test)]
pub(crate) use on_both;

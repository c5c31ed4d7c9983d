//! An object store in memory whose requests fail from a chosen one on.
//!
//! What it holds outlives the process that dies; the open question is whether the last request was
//! still carried out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What becomes of a request that fails, such as the last one of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastRequest {
    /// It never got there.
    Lost,
    /// It was carried out, but nobody heard of it.
    Unanswered,
}

/// How a store deals with `If-None-Match: *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Conditions {
    #[default]
    Obeyed,
    /// The write is done as if there were no condition.
    Ignored,
    /// The write is refused.
    Refused,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct CrashStore {
    pub(crate) objects: Arc<InMemory>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    requests: usize,
    die_at: Option<(usize, LastRequest)>,
    is_dead: bool,
    /// One that fails, though the process goes on.
    fail_at: Option<(usize, LastRequest)>,
    /// Writes that carry a condition so far, and which of them is sent twice.
    conditional: usize,
    repeat_at: Option<usize>,
    conditions: Conditions,
}

impl CrashStore {
    /// The process dies at request `request` from now, counted from 0.
    pub(crate) fn die_at(&self, request: usize, last: LastRequest) {
        self.change(|plan| (plan.requests, plan.die_at) = (0, Some((request, last))));
    }

    /// Request `request` from now fails, and no other.
    pub(crate) fn fail_at(&self, request: usize, how: LastRequest) {
        self.change(|plan| (plan.requests, plan.fail_at) = (0, Some((request, how))));
    }

    /// Requests since the last plan was made.
    pub(crate) fn requests(&self) -> usize {
        self.change(|plan| plan.requests)
    }

    /// The answer to conditional write `write` from now is lost, and the client sends it again.
    pub(crate) fn repeat_at(&self, write: usize) {
        self.change(|plan| (plan.conditional, plan.repeat_at) = (0, Some(write)));
    }

    pub(crate) fn set_conditions(&self, conditions: Conditions) {
        self.change(|plan| plan.conditions = conditions);
    }

    /// Conditional writes since [`repeat_at`](Self::repeat_at).
    pub(crate) fn conditional_writes(&self) -> usize {
        self.change(|plan| plan.conditional)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.change(|plan| plan.is_dead)
    }

    pub(crate) fn kill(&self) {
        self.change(|plan| plan.is_dead = true);
    }

    /// The store for the process that comes next.
    pub(crate) fn after_crash(&self) -> Self {
        Self { objects: Arc::clone(&self.objects), plan: Arc::default() }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One request: fails, as all after it do, when its turn has come.
    async fn request<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let fate = self.change(|plan| {
            let at_this = |planned: Option<(usize, LastRequest)>| planned.filter(|(at, _)| *at == plan.requests);
            let (dies, fails) = (at_this(plan.die_at), at_this(plan.fail_at));
            let fate = if plan.is_dead { Some(LastRequest::Lost) } else { dies.or(fails).map(|(_, how)| how) };
            plan.is_dead |= dies.is_some();
            plan.requests += 1;
            fate
        });
        match fate {
            None => return request.await,
            Some(LastRequest::Unanswered) => drop(request.await),
            Some(LastRequest::Lost) => {}
        }
        Err(Error::Generic { store: "crash", source: "the request failed".into() })
    }
}

impl fmt::Display for CrashStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crash store")
    }
}

#[async_trait]
impl ObjectStore for CrashStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let (mut repeated, mut conditions) = (false, Conditions::Obeyed);
        if options.mode == PutMode::Create {
            (repeated, conditions) = self.change(|plan| {
                plan.conditional += 1;
                (plan.repeat_at == Some(plan.conditional - 1), plan.conditions)
            });
        }
        match conditions {
            Conditions::Obeyed => {}
            Conditions::Ignored => options.mode = PutMode::Overwrite,
            Conditions::Refused => {
                let body =
                    "501 <Error><Code>NotImplemented</Code><Message>A header is not implemented</Message></Error>";
                return Err(Error::Generic { store: "crash", source: body.into() });
            }
        }
        if repeated {
            self.request(self.objects.put_opts(location, payload.clone(), options.clone())).await?;
        }
        self.request(self.objects.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.request(self.objects.put_multipart_opts(location, options)).await?;
        Ok(Box::new(CrashUpload { store: self.clone(), upload }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.request(self.objects.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Path| {
            let store = store.clone();
            async move {
                let one = futures::stream::once(async { Ok(location) }).boxed();
                let deleted = store.objects.delete_stream(one).try_collect::<Vec<_>>();
                store.request(deleted).await.map(|mut paths| paths.pop().unwrap_or_default())
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.request(self.objects.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.request(self.objects.copy_opts(from, to, options)).await
    }
}

/// A multipart upload, of which each part is a request.
#[derive(Debug)]
struct CrashUpload {
    store: CrashStore,
    upload: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for CrashUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (store, part) = (self.store.clone(), self.upload.put_part(data));
        async move { store.request(part).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.clone().request(self.upload.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.clone().request(self.upload.abort()).await
    }
}

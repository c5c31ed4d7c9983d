//! Reads files, one after the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use regex::Regex;
use serde::{Deserialize, Serialize};
use sluice_connector_api::{Source, SourceContext, SourceEvent, SourceReader, SourceTable};
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result};

use crate::FilesystemOptions;
use crate::path::files_below;
use crate::rows::{Layout, OpenFile, Parts};

#[derive(Debug)]
pub(crate) struct FileSource {
    layout: Layout,
    pattern: Option<Regex>,
    interval: Option<Duration>,
}

impl FileSource {
    pub(crate) fn new(table: SourceTable<FilesystemOptions>) -> Result<Self> {
        let layout = Layout::new(Parts {
            root: table.options.local_path()?,
            default_partition: table.options.default_partition.clone(),
            format: table.files.clone(),
            declared: &table.declared,
            partitioned_by: &table.partitioned_by,
            schema: &table.schema,
            metadata: &table.metadata,
        })?;
        let pattern = compiled(&table.options)?;
        Ok(Self { layout, pattern, interval: table.options.monitor_interval })
    }
}

pub(crate) fn compiled(options: &FilesystemOptions) -> Result<Option<Regex>> {
    let pattern = options.path_pattern.as_deref().map(Regex::new).transpose();
    pattern.map_err(|error| Error::fix("'source.path.regex-pattern' is none").because(error.to_string()))
}

#[async_trait]
impl Source for FileSource {
    fn changelog_mode(&self, _table: usize) -> ChangelogMode {
        ChangelogMode::APPEND
    }

    fn is_bounded(&self) -> bool {
        self.interval.is_none()
    }

    fn max_parallelism(&self) -> Option<usize> {
        None
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn SourceReader>> {
        let mut progress = Progress::default();
        for position in &context.restored {
            let part: Progress = serde_json::from_slice(position)
                .map_err(|error| Error::fix("a position in files cannot be read").because(error.to_string()))?;
            progress.files.extend(part.files);
        }
        let is_new = context.restored.is_empty();
        let (subtask, parallelism) = (context.subtask, context.parallelism.max(1));
        progress.files.retain(|path, _| is_mine(path, subtask, parallelism));
        let mut reader = FileReading {
            layout: self.layout.clone(),
            pattern: self.pattern.clone(),
            interval: self.interval,
            progress,
            open: None,
            subtask,
            parallelism,
            next_look: None,
        };
        // The files of a source that ends are those that were there when it began.
        if is_new || self.interval.is_some() {
            reader.look()?;
        }
        Ok(Box::new(reader))
    }
}

/// Which subtask reads a file: the same ones wherever the job runs.
fn is_mine(path: &str, subtask: usize, parallelism: usize) -> bool {
    let hash = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash % parallelism as u64) as usize == subtask
}

/// How far each file has been read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    files: BTreeMap<String, Done>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Done {
    /// Up to this position.
    UpTo(u64),
    All,
}

struct FileReading {
    layout: Layout,
    pattern: Option<Regex>,
    interval: Option<Duration>,
    progress: Progress,
    open: Option<(String, OpenFile)>,
    subtask: usize,
    parallelism: usize,
    next_look: Option<tokio::time::Instant>,
}

impl FileReading {
    /// Notes the files that have come.
    fn look(&mut self) -> Result<()> {
        self.next_look = self.interval.map(|interval| tokio::time::Instant::now() + interval);
        let files: Vec<PathBuf> = files_below(self.layout.root(), self.pattern.as_ref())?;
        for file in files {
            let Some(path) = file.to_str() else {
                return Err(Error::fix(format!("the name of file '{}' is no text", file.display())));
            };
            if is_mine(path, self.subtask, self.parallelism) {
                self.progress.files.entry(path.to_owned()).or_insert(Done::UpTo(0));
            }
        }
        Ok(())
    }

    /// The next rows of the file that is open, or of the next one; `None` if all are read.
    fn rows(&mut self) -> Result<Option<ChangelogBatch>> {
        loop {
            let (path, mut file) = match self.open.take() {
                Some(open) => open,
                None => {
                    let unread = self.progress.files.iter().find_map(|(path, done)| match done {
                        Done::UpTo(position) => Some((path.clone(), *position)),
                        Done::All => None,
                    });
                    let Some((path, position)) = unread else { return Ok(None) };
                    let file = self.layout.open(path.as_ref(), position)?;
                    (path, file)
                }
            };
            match self.layout.next(&mut file)? {
                Some(rows) => {
                    self.progress.files.insert(path.clone(), Done::UpTo(file.position()));
                    self.open = Some((path, file));
                    return Ok(Some(ChangelogBatch::append(rows)));
                }
                None => _ = self.progress.files.insert(path, Done::All),
            }
        }
    }
}

#[async_trait]
impl SourceReader for FileReading {
    async fn next(&mut self) -> Result<SourceEvent> {
        // Nothing is taken before the last wait: a call that is dropped loses no row.
        tokio::task::consume_budget().await;
        loop {
            if let Some(batch) = self.rows()? {
                return Ok(SourceEvent::Batch { table: 0, batch });
            }
            let Some(at) = self.next_look else { return Ok(SourceEvent::End) };
            tokio::time::sleep_until(at).await;
            self.look()?;
        }
    }

    fn position(&mut self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.progress)
            .map_err(|error| Error::bug("a position in files cannot be written").because(error.to_string()))
    }
}

/// All rows of a table's files.
pub(crate) fn all_rows(layout: &Layout, pattern: Option<&Regex>) -> Result<Vec<arrow_array::RecordBatch>> {
    let mut batches = Vec::new();
    for path in files_below(layout.root(), pattern)? {
        let mut file = layout.open(&path, 0)?;
        while let Some(rows) = layout.next(&mut file)? {
            batches.push(rows);
        }
    }
    Ok(batches)
}

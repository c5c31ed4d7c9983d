//! The files of a writer: hidden while they are written, renamed when a checkpoint holds them.
//!
//! ```text
//! .part-7f…-0-3.inprogress     gets rows                     crash: cut off where the checkpoint says
//! .part-7f…-0-3.inprogress     closed, in a checkpoint       crash: renamed again
//!  part-7f…-0-3                the checkpoint is durable     seen by readers
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};
use sluice_connector_api::{CommitToken, FileFormat, FileWriter};
use sluice_model::{Error, Result};

use crate::path::failed;
use crate::trigger::Open;

/// When a file gets no more rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rolling {
    pub(crate) size: u64,
    /// Milliseconds.
    pub(crate) age: i64,
    pub(crate) idle: i64,
    /// A file that is of use only with its end ends at every checkpoint.
    pub(crate) at_checkpoints: bool,
}

/// What a checkpoint knows of a writer's files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Token {
    /// Names the files of the writer.
    writer: String,
    /// Counts the writer's checkpoints.
    number: u64,
    /// Folder and name of files that are closed.
    closed: Vec<(String, String)>,
    /// The same of files that get more rows, and how many bytes belong to the checkpoint.
    growing: Vec<(String, String, u64)>,
    /// Folders of partitions that are complete with this checkpoint.
    pub(crate) complete: Vec<String>,
    /// Partitions that are not.
    pub(crate) partitions: BTreeMap<String, Open>,
}

impl Token {
    pub(crate) fn encode(&self) -> Result<CommitToken> {
        serde_json::to_vec(self)
            .map_err(|error| Error::bug("a list of files cannot be written").because(error.to_string()))
    }

    pub(crate) fn decode(token: &[u8]) -> Result<Self> {
        if token.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(token)
            .map_err(|error| Error::fix("a list of files in a checkpoint cannot be read").because(error.to_string()))
    }

    /// What came behind it, of the same checkpoint.
    pub(crate) fn add(&mut self, later: Self) {
        self.closed.extend(later.closed);
        self.growing = later.growing;
        self.number = later.number;
    }
}

/// The files of one writer.
pub(crate) struct Files {
    root: PathBuf,
    format: Arc<dyn FileFormat>,
    schema: SchemaRef,
    rolling: Rolling,
    writer: String,
    subtask: usize,
    /// Number of files so far.
    count: u64,
    /// Number of checkpoints so far.
    prepared: u64,
    open: HashMap<String, Growing>,
    closed: Vec<(String, String)>,
}

struct Growing {
    name: String,
    file: File,
    path: PathBuf,
    writer: Box<dyn FileWriter>,
    buffer: Vec<u8>,
    length: u64,
    since: i64,
    last: i64,
}

impl Files {
    pub(crate) fn new(
        root: PathBuf,
        format: Arc<dyn FileFormat>,
        schema: SchemaRef,
        rolling: Rolling,
        subtask: usize,
    ) -> Result<Self> {
        fs::create_dir_all(&root).map_err(|error| failed("make folder", &root, &error))?;
        let writer = uuid::Uuid::new_v4().to_string();
        let (open, closed) = (HashMap::new(), Vec::new());
        Ok(Self { root, format, schema, rolling, writer, subtask, count: 0, prepared: 0, open, closed })
    }

    /// Adds rows to the file of a folder.
    pub(crate) fn write(&mut self, folder: &str, rows: &RecordBatch, now: i64) -> Result<()> {
        if !self.open.contains_key(folder) {
            let growing = self.begin(folder, now)?;
            self.open.insert(folder.to_owned(), growing);
        }
        let Some(growing) = self.open.get_mut(folder) else { return Err(Error::bug("a file that was just opened")) };
        growing.writer.write(rows, &mut growing.buffer)?;
        growing.last = now;
        growing.drain()
    }

    fn begin(&mut self, folder: &str, now: i64) -> Result<Growing> {
        let name = format!("part-{}-{}-{}", self.writer, self.subtask, self.count);
        self.count += 1;
        let path = self.root.join(folder).join(hidden(&name));
        let parent = self.root.join(folder);
        fs::create_dir_all(&parent).map_err(|error| failed("make folder", &parent, &error))?;
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| failed("write", &path, &error))?;
        let writer = self.format.writer(Arc::clone(&self.schema))?;
        Ok(Growing { name, file, path, writer, buffer: Vec::new(), length: 0, since: now, last: now })
    }

    /// Closes the files that shall get no more rows.
    pub(crate) fn roll(&mut self, now: i64) -> Result<()> {
        let Rolling { size, age, idle, .. } = self.rolling;
        let is_done =
            |growing: &Growing| growing.length >= size || now - growing.since >= age || now - growing.last >= idle;
        let done: Vec<String> =
            self.open.iter().filter(|(_, growing)| is_done(growing)).map(|(folder, _)| folder.clone()).collect();
        self.close_of(&done)
    }

    pub(crate) fn is_open(&self, folder: &str) -> bool {
        self.open.contains_key(folder)
    }

    /// Closes the files of these folders.
    pub(crate) fn close_of(&mut self, folders: &[String]) -> Result<()> {
        for folder in folders {
            if let Some(mut growing) = self.open.remove(folder) {
                growing.writer.finish(&mut growing.buffer)?;
                growing.drain()?;
                growing.sync()?;
                self.closed.push((folder.clone(), growing.name));
            }
        }
        Ok(())
    }

    pub(crate) fn close_all(&mut self) -> Result<()> {
        let folders: Vec<String> = self.open.keys().cloned().collect();
        self.close_of(&folders)
    }

    /// What has been written up to now, durably.
    pub(crate) fn prepare(&mut self) -> Result<Token> {
        if self.rolling.at_checkpoints {
            self.close_all()?;
        }
        let mut growing = Vec::new();
        for (folder, file) in &mut self.open {
            file.sync()?;
            growing.push((folder.clone(), file.name.clone(), file.length));
        }
        let closed = std::mem::take(&mut self.closed);
        self.prepared += 1;
        let (writer, number) = (self.writer.clone(), self.prepared);
        Ok(Token { writer, number, closed, growing, ..Token::default() })
    }

    /// Shows the closed files. Those that are there already have been shown before.
    pub(crate) fn publish(&self, token: &Token) -> Result<()> {
        let mut folders: Vec<&str> = Vec::new();
        for (folder, name) in &token.closed {
            self.show(folder, name, None)?;
            folders.push(folder);
        }
        folders.sort_unstable();
        folders.dedup();
        folders.into_iter().try_for_each(|folder| sync_folder(&self.root.join(folder)))
    }

    /// Puts the file that tells that a partition is complete into each folder.
    pub(crate) fn tell(&self, folders: &[String], name: &str) -> Result<()> {
        for folder in folders {
            let path = self.root.join(folder).join(name);
            File::create(&path).map_err(|error| failed("write", &path, &error))?;
        }
        Ok(())
    }

    /// Shows what a checkpoint holds, and removes what its writers have written behind it. Of a writer
    /// there are several tokens if checkpoints in front of this one were not committed.
    pub(crate) fn recover(&self, tokens: &[Token], success_file: &str) -> Result<()> {
        for token in tokens {
            self.publish(token)?;
            self.tell(&token.complete, success_file)?;
        }
        for token in newest(tokens) {
            for (folder, name, length) in &token.growing {
                self.show(folder, name, Some(*length))?;
            }
            if !token.writer.is_empty() {
                remove_hidden(&self.root, &format!(".part-{}-", token.writer))?;
            }
        }
        Ok(())
    }

    /// Renames a hidden file, cut off at `length`.
    fn show(&self, folder: &str, name: &str, length: Option<u64>) -> Result<()> {
        let folder = self.root.join(folder);
        let (from, to) = (folder.join(hidden(name)), folder.join(name));
        if to.exists() {
            return Ok(());
        }
        if let Some(length) = length {
            if length == 0 {
                return Ok(());
            }
            let file = OpenOptions::new().write(true).open(&from).map_err(|error| gone(&from, &error))?;
            file.set_len(length).and_then(|()| file.sync_all()).map_err(|error| failed("write", &from, &error))?;
        }
        fs::rename(&from, &to).map_err(|error| gone(&from, &error))
    }
}

/// The newest token of each writer.
pub(crate) fn newest(tokens: &[Token]) -> Vec<&Token> {
    let is_newest =
        |token: &&Token| tokens.iter().all(|other| other.writer != token.writer || other.number <= token.number);
    tokens.iter().filter(is_newest).collect()
}

impl Growing {
    fn drain(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer).map_err(|error| failed("write", &self.path, &error))?;
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| failed("write", &self.path, &error))
    }
}

fn hidden(name: &str) -> String {
    format!(".{name}.inprogress")
}

fn gone(path: &Path, error: &std::io::Error) -> Error {
    Error::fix(format!("file '{}' of a checkpoint cannot be shown", path.display()))
        .because(error.to_string())
        .with_hint("files whose names begin with '.part-' belong to running jobs: leave them where they are")
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed("write", folder, &error))
}

/// Removes hidden files that begin so.
fn remove_hidden(folder: &Path, prefix: &str) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| failed("read", folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| failed("read", folder, &error))?.path();
        if path.is_dir() {
            remove_hidden(&path, prefix)?;
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)) {
            fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
        }
    }
    Ok(())
}

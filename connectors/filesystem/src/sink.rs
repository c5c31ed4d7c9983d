//! Writes files, each row to the folder of its partition.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, SchemaRef};
use async_trait::async_trait;
use sluice_connector_api::{CommitToken, FileFormat, Sink, SinkContext, SinkTable, SinkWriter};
use sluice_model::{ChangelogBatch, ChangelogMode, CheckpointId, Clock, Error, Result};

use crate::FilesystemOptions;
use crate::partition;
use crate::trigger::{Open, Trigger};
use crate::writer::{Files, Rolling, Token, newest};

pub(crate) struct FileSink {
    options: FilesystemOptions,
    root: PathBuf,
    format: Arc<dyn FileFormat>,
    schema: SchemaRef,
    /// Columns that are in the names of folders, and those that are in files.
    partitions: Vec<usize>,
    in_file: Vec<usize>,
}

impl std::fmt::Debug for FileSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSink").field("root", &self.root).finish_non_exhaustive()
    }
}

impl FileSink {
    pub(crate) fn new(options: FilesystemOptions, table: &SinkTable) -> Result<Self> {
        let format = table.files.clone().ok_or_else(|| Error::bug("a table of files without a format"))?;
        let schema = table.schema.to_arrow();
        let place = |name: &String| {
            table.schema.index_of(name).ok_or_else(|| Error::fix(format!("there is no partition column '{name}'")))
        };
        let partitions = table.partitioned_by.iter().map(place).collect::<Result<Vec<_>>>()?;
        let in_file: Vec<usize> =
            (0..table.schema.columns.len()).filter(|column| !partitions.contains(column)).collect();
        if in_file.is_empty() {
            return Err(Error::fix(format!("table '{}' has no column besides those it is partitioned by", table.name)));
        }
        let sink = Self { root: options.local_path()?, options, format, schema, partitions, in_file };
        // Says what is wrong with a column now, not when the first row comes.
        sink.format.writer(sink.file_schema()?)?;
        Ok(sink)
    }

    fn file_schema(&self) -> Result<SchemaRef> {
        Ok(Arc::new(self.schema.project(&self.in_file).map_err(Error::from_arrow)?))
    }
}

#[async_trait]
impl Sink for FileSink {
    fn accepts(&self) -> ChangelogMode {
        ChangelogMode::APPEND
    }

    fn parallelism(&self) -> Option<usize> {
        // Who tells that a partition is complete must know all of its files.
        if self.options.commits_partitions() { Some(1) } else { self.options.sink_parallelism }
    }

    fn notes(&self) -> Vec<String> {
        self.format.notes()
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let rolling = Rolling {
            size: self.options.roll_size.0,
            age: millis(self.options.roll_age),
            idle: millis(self.options.roll_idle),
            at_checkpoints: self.format.is_whole(),
        };
        let files =
            Files::new(self.root.clone(), Arc::clone(&self.format), self.file_schema()?, rolling, context.subtask)?;
        let mut trigger = Trigger::new(&self.options)?;
        let tokens = context.restored.iter().map(|token| Token::decode(token)).collect::<Result<Vec<_>>>()?;
        files.recover(&tokens, &self.options.success_file)?;
        if let Some(trigger) = &mut trigger {
            let partitions = newest(&tokens).into_iter().flat_map(|token| &token.partitions);
            partitions.for_each(|(folder, open)| trigger.add(folder, open));
        }
        let fields =
            self.partitions.iter().map(|column| SortField::new(self.schema.field(*column).data_type().clone()));
        Ok(Box::new(FileWriting {
            files,
            trigger,
            converter: RowConverter::new(fields.collect()).map_err(Error::from_arrow)?,
            names: self.partitions.iter().map(|column| self.schema.field(*column).name().clone()).collect(),
            partitions: self.partitions.clone(),
            in_file: self.in_file.clone(),
            default_partition: self.options.default_partition.clone(),
            success_file: self.options.success_file.clone(),
            known: HashMap::new(),
            clock: context.clock,
            watermark: i64::MIN,
        }))
    }
}

struct FileWriting {
    files: Files,
    trigger: Option<Trigger>,
    converter: RowConverter,
    names: Vec<String>,
    partitions: Vec<usize>,
    in_file: Vec<usize>,
    default_partition: String,
    success_file: String,
    /// Folders by the values of the partition columns.
    known: HashMap<Box<[u8]>, Arc<Partition>>,
    clock: Arc<dyn Clock>,
    watermark: i64,
}

/// Folders that are remembered at most: those of other values are found anew.
const MAX_KNOWN: usize = 4096;

#[derive(Debug)]
struct Partition {
    folder: String,
    values: Vec<(String, String)>,
}

impl FileWriting {
    /// The rows of each partition of a batch.
    fn divided(&mut self, rows: &RecordBatch) -> Result<Vec<(Arc<Partition>, RecordBatch)>> {
        let in_file = rows.project(&self.in_file).map_err(Error::from_arrow)?;
        if self.partitions.is_empty() {
            let whole = Partition { folder: String::new(), values: Vec::new() };
            return Ok(vec![(Arc::new(whole), in_file)]);
        }
        let keys: Vec<ArrayRef> = self.partitions.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        let encoded = self.converter.convert_columns(&keys).map_err(Error::from_arrow)?;
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        let mut groups: Vec<(Arc<Partition>, Vec<u32>)> = Vec::new();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        let encoded: Vec<_> = encoded.iter().collect();
        for (row, key) in (0_u32..).zip(&encoded) {
            let place = match places.get(key.as_ref()) {
                Some(place) => *place,
                None => {
                    let partition = self.partition(key.as_ref(), &keys, row as usize)?;
                    groups.push((partition, Vec::new()));
                    places.insert(key.as_ref(), groups.len() - 1);
                    groups.len() - 1
                }
            };
            groups[place].1.push(row);
        }
        let taken = groups.into_iter().map(|(partition, rows)| {
            let rows = arrow_select::take::take_record_batch(&in_file, &UInt32Array::from(rows));
            Ok((partition, rows.map_err(Error::from_arrow)?))
        });
        taken.collect()
    }

    /// The partition of a row.
    fn partition(&mut self, key: &[u8], columns: &[ArrayRef], row: usize) -> Result<Arc<Partition>> {
        if let Some(known) = self.known.get(key) {
            return Ok(Arc::clone(known));
        }
        let value = |(name, column): (&String, &ArrayRef)| -> Result<(String, String)> {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let text = cast_with_options(&column.slice(row, 1), &DataType::Utf8, &options).map_err(|error| {
                Error::fix(format!("column '{name}' cannot name a folder")).because(error.to_string())
            })?;
            let text = text.as_any().downcast_ref::<StringArray>().filter(|text| text.is_valid(0));
            let value = text.map(|text| text.value(0)).filter(|text| !text.is_empty());
            Ok((name.clone(), value.unwrap_or(&self.default_partition).to_owned()))
        };
        let values = self.names.iter().zip(columns).map(value).collect::<Result<Vec<_>>>()?;
        let folder = partition::folder(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let partition = Arc::new(Partition { folder, values });
        self.known.insert(key.into(), Arc::clone(&partition));
        Ok(partition)
    }
}

#[async_trait]
impl SinkWriter for FileWriting {
    async fn write(&mut self, batch: ChangelogBatch) -> Result<()> {
        let now = self.clock.now_millis();
        for (partition, rows) in self.divided(batch.rows())? {
            if let Some(trigger) = &mut self.trigger {
                trigger.add(&partition.folder, &Open { since: now, values: partition.values.clone() });
            }
            self.files.write(&partition.folder, &rows, now)?;
        }
        self.files.roll(now)
    }

    async fn idle(&mut self) -> Result<()> {
        self.files.roll(self.clock.now_millis())
    }

    async fn watermark(&mut self, watermark: i64) -> Result<()> {
        self.watermark = watermark;
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.watermark = i64::MAX;
        self.files.close_all()
    }

    async fn prepare(&mut self, _checkpoint: CheckpointId) -> Result<CommitToken> {
        let now = self.clock.now_millis();
        self.files.roll(now)?;
        let mut token = self.files.prepare()?;
        if let Some(trigger) = &mut self.trigger {
            // A partition with a file that still gets rows is not complete.
            let complete = trigger.complete(now, self.watermark)?;
            let (open, complete) = complete.into_iter().partition(|folder| self.files.is_open(folder));
            token.complete = complete;
            self.files.close_of(&open)?;
            token.add(self.files.prepare()?);
            token.complete.extend(open);
            token.partitions = trigger.open().clone();
        }
        token.encode()
    }

    async fn commit(&mut self, _checkpoint: CheckpointId, token: &CommitToken) -> Result<()> {
        let token = Token::decode(token)?;
        self.files.publish(&token)?;
        self.files.tell(&token.complete, &self.success_file)
    }
}

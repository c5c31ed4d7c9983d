//! The rows of a file as those of a table: columns of the file, of its folder, and about the file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::take::take;
use sluice_connector_api::{FileFormat, FileReader, FileToRead};
use sluice_model::{Column, Error, Result, SqlType, TableSchema};

use crate::partition::value_of;
use crate::path::failed;

/// How the rows of a table come out of its files.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
    default_partition: String,
    format: Arc<dyn FileFormat>,
    /// The columns of a file.
    declared: SchemaRef,
    /// Which of them are wanted.
    wanted: Vec<usize>,
    /// Where each column of the result comes from.
    sources: Vec<Source>,
    output: SchemaRef,
}

#[derive(Debug, Clone)]
enum Source {
    /// The wanted column of this number.
    File(usize),
    /// The folder's value of this name.
    Partition(String),
    Metadata(String),
}

/// A file that is read.
pub(crate) struct OpenFile {
    reader: Box<dyn FileReader>,
    /// For columns that are the same in all rows, a row of them.
    constants: Vec<Option<ArrayRef>>,
}

/// What a layout is made of.
pub(crate) struct Parts<'a> {
    pub(crate) root: PathBuf,
    pub(crate) default_partition: String,
    pub(crate) format: Option<Arc<dyn FileFormat>>,
    pub(crate) declared: &'a TableSchema,
    pub(crate) partitioned_by: &'a [String],
    pub(crate) schema: &'a TableSchema,
    pub(crate) metadata: &'a [(String, Column)],
}

impl Layout {
    pub(crate) fn new(parts: Parts<'_>) -> Result<Self> {
        let format = parts.format.ok_or_else(|| Error::bug("a table of files without a format"))?;
        let is_partition = |column: &Column| parts.partitioned_by.contains(&column.name);
        let in_file: Vec<&Column> = parts.declared.columns.iter().filter(|column| !is_partition(column)).collect();
        let mut wanted: Vec<usize> =
            (0..in_file.len()).filter(|place| parts.schema.index_of(&in_file[*place].name).is_some()).collect();
        // A file without any column could not tell how many rows it has.
        if wanted.is_empty() && !in_file.is_empty() {
            wanted.push(0);
        }
        let source = |column: &Column| {
            let place = wanted.iter().position(|place| in_file[*place].name == column.name);
            match place {
                Some(place) => Ok(Source::File(place)),
                None if is_partition(column) => Ok(Source::Partition(column.name.clone())),
                None => Err(Error::bug(format!("column '{}' is not in the table", column.name))),
            }
        };
        let mut sources = parts.schema.columns.iter().map(source).collect::<Result<Vec<_>>>()?;
        sources.extend(parts.metadata.iter().map(|(key, _)| Source::Metadata(key.clone())));
        let output = parts.schema.columns.iter().chain(parts.metadata.iter().map(|(_, column)| column));
        let output = Arc::new(Schema::new(output.map(Column::to_field).collect::<Vec<_>>()));
        let declared = Arc::new(Schema::new(in_file.into_iter().map(Column::to_field).collect::<Vec<_>>()));
        let (root, default_partition) = (parts.root, parts.default_partition);
        Ok(Self { root, default_partition, format, declared, wanted, sources, output })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Opens a file at a position.
    pub(crate) fn open(&self, path: &Path, position: u64) -> Result<OpenFile> {
        let file = File::open(path).map_err(|error| failed("read", path, &error))?;
        let fields = self.output.fields().iter();
        let constants =
            self.sources.iter().zip(fields).map(|(source, field)| self.constant(source, field, path, &file));
        let constants = constants.collect::<Result<Vec<_>>>()?;
        let reader = self.format.reader(FileToRead {
            file,
            name: path.display().to_string(),
            declared: Arc::clone(&self.declared),
            wanted: self.wanted.clone(),
            position,
        })?;
        Ok(OpenFile { reader, constants })
    }

    fn constant(&self, source: &Source, field: &Field, path: &Path, file: &File) -> Result<Option<ArrayRef>> {
        let text = match source {
            Source::File(_) => return Ok(None),
            Source::Partition(name) => {
                let value = value_of(&self.root, path, name);
                value.filter(|value| *value != self.default_partition)
            }
            Source::Metadata(key) => Some(about(key, path, file)?),
        };
        let text = StringArray::from(vec![text.clone()]);
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let value = cast_with_options(&text, field.data_type(), &options).map_err(|error| {
            Error::fix(format!("the folder of '{}' has no {}", path.display(), SqlType::of_field(field)))
                .because(error.to_string())
                .while_doing(format!("partition column '{}'", field.name()))
        })?;
        Ok(Some(value))
    }

    /// The next rows of a file; `None` at its end.
    pub(crate) fn next(&self, file: &mut OpenFile) -> Result<Option<RecordBatch>> {
        let Some(rows) = file.reader.next()? else { return Ok(None) };
        let all_the_same = UInt32Array::from(vec![0; rows.num_rows()]);
        let column = |(source, constant): (&Source, &Option<ArrayRef>)| match (source, constant) {
            (Source::File(place), _) => Ok(Arc::clone(rows.column(*place))),
            (_, Some(constant)) => take(constant, &all_the_same, None).map_err(Error::from_arrow),
            _ => Err(Error::bug("a column from nowhere")),
        };
        let columns = self.sources.iter().zip(&file.constants).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options);
        batch.map(Some).map_err(|error| Error::fix("a NOT NULL column has no value").because(error.to_string()))
    }
}

impl OpenFile {
    pub(crate) fn position(&self) -> u64 {
        self.reader.position()
    }
}

/// What is known about a file, as text.
fn about(key: &str, path: &Path, file: &File) -> Result<String> {
    let metadata = || file.metadata().map_err(|error| failed("read", path, &error));
    Ok(match key {
        "file.path" => path.display().to_string(),
        "file.name" => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        "file.size" => metadata()?.len().to_string(),
        "file.modification-time" => {
            let modified = metadata()?.modified().map_err(|error| failed("read", path, &error))?;
            let millis = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            let at = i64::try_from(millis).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
            at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        }
        other => return Err(Error::fix(format!("connector 'filesystem' has no metadata '{other}'"))),
    })
}

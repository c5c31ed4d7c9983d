//! Rows by key: the files are read as a whole, and kept for a while.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use async_trait::async_trait;
use regex::Regex;
use sluice_connector_api::{Found, Lookup, LookupContext, LookupSource, LookupTable};
use sluice_model::{Clock, Error, Result};

use crate::FilesystemOptions;
use crate::rows::{Layout, Parts};
use crate::source::{all_rows, compiled};

#[derive(Debug)]
pub(crate) struct FileLookup {
    layout: Layout,
    pattern: Option<Regex>,
    keys: Vec<usize>,
    /// Milliseconds.
    ttl: i64,
}

impl FileLookup {
    pub(crate) fn new(table: LookupTable<FilesystemOptions>) -> Result<Self> {
        let layout = Layout::new(Parts {
            root: table.options.local_path()?,
            default_partition: table.options.default_partition.clone(),
            format: table.files.clone(),
            declared: &table.declared,
            partitioned_by: &table.partitioned_by,
            schema: &table.schema,
            metadata: &[],
        })?;
        let pattern = compiled(&table.options)?;
        let ttl = i64::try_from(table.options.lookup_ttl.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { layout, pattern, keys: table.keys, ttl })
    }
}

#[async_trait]
impl LookupSource for FileLookup {
    async fn open(&self, context: LookupContext) -> Result<Box<dyn Lookup>> {
        let fields = self.keys.iter().map(|key| SortField::new(self.layout.schema().field(*key).data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(Error::from_arrow)?;
        let mut kept = Kept {
            layout: self.layout.clone(),
            pattern: self.pattern.clone(),
            keys: self.keys.clone(),
            ttl: self.ttl,
            clock: context.clock,
            converter,
            rows: RecordBatch::new_empty(Arc::clone(self.layout.schema())),
            by_key: HashMap::new(),
            read_at: 0,
        };
        kept.read()?;
        Ok(Box::new(kept))
    }
}

/// The rows in memory.
struct Kept {
    layout: Layout,
    pattern: Option<Regex>,
    keys: Vec<usize>,
    ttl: i64,
    clock: Arc<dyn Clock>,
    converter: RowConverter,
    rows: RecordBatch,
    by_key: HashMap<Box<[u8]>, Vec<u32>>,
    read_at: i64,
}

impl Kept {
    fn read(&mut self) -> Result<()> {
        let batches = all_rows(&self.layout, self.pattern.as_ref())?;
        self.rows = concat_batches(self.layout.schema(), &batches).map_err(Error::from_arrow)?;
        let keys: Vec<ArrayRef> = self.keys.iter().map(|key| Arc::clone(self.rows.column(*key))).collect();
        let encoded = self.converter.convert_columns(&keys).map_err(Error::from_arrow)?;
        self.by_key.clear();
        for (place, key) in encoded.iter().enumerate() {
            // A row without a key is never asked for.
            if keys.iter().any(|column| column.is_null(place)) {
                continue;
            }
            let place = u32::try_from(place).map_err(|_| Error::fix("a table of files is too large to look up in"))?;
            match self.by_key.get_mut(key.as_ref()) {
                Some(places) => places.push(place),
                None => _ = self.by_key.insert(key.as_ref().into(), vec![place]),
            }
        }
        self.read_at = self.clock.now_millis();
        Ok(())
    }
}

#[async_trait]
impl Lookup for Kept {
    async fn lookup(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        if self.clock.now_millis().saturating_sub(self.read_at) >= self.ttl {
            self.read()?;
        }
        let encoded = self.converter.convert_columns(keys).map_err(Error::from_arrow)?;
        let (mut asked, mut places) = (Vec::new(), Vec::new());
        for (number, key) in (0_u32..).zip(encoded.iter()) {
            if let Some(found) = self.by_key.get(key.as_ref()) {
                asked.extend(std::iter::repeat_n(number, found.len()));
                places.extend_from_slice(found);
            }
        }
        let rows = take_record_batch(&self.rows, &UInt32Array::from(places)).map_err(Error::from_arrow)?;
        Ok(Found { keys: asked, rows })
    }
}

//! Rows in the order of time: those that wait until time has come to them, and those in frames.
//!
//! ```text
//! add a 00:02, b 00:01      pending  b, a
//! due(00:01)                b is taken out, and enters the frame of its partition or is forgotten
//! add c 00:01               late: dropped and counted
//! ```
//!
//! The time of a row is that of a column, or that of the clock when the row came.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result, RowKind, RowKinds};

use crate::bit_set::BitSet;
use crate::key_index::{KeyIndex, Slot};
use crate::memory;
use crate::row_codec::RowCodec;
use crate::row_store::{RowId, RowStore};
use crate::state::{BATCH_ROWS, Scope, StateTable};
use crate::time::millis;

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta {
    /// Its partition.
    pub(crate) slot: Slot,
    pub(crate) time: i64,
    /// Its place in the order of arrival.
    number: i64,
    /// It has been put out, and is in a frame.
    fired: bool,
    /// The last snapshot has it.
    saved: bool,
}

/// Where the time of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeOf {
    /// A column of event time.
    Column(usize),
    /// The clock, when the row came.
    Clock,
}

/// What the clock shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: i64,
    /// Nothing comes any more: nothing has to wait.
    pub(crate) is_ended: bool,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { now: i64::MIN, is_ended: false }
    }

    /// Notes the time, and returns the last millisecond that is over. A clock that is set back stands
    /// still.
    pub(crate) fn tell(&mut self, now: i64) -> i64 {
        self.now = self.now.max(now);
        self.now.saturating_sub(1)
    }
}

/// Rows by partition and time.
#[derive(Debug)]
pub(crate) struct TimedRows {
    schema: SchemaRef,
    partition: Vec<usize>,
    time: TimeOf,
    partitions: KeyIndex,
    codec: RowCodec,
    store: RowStore<Meta>,
    next: i64,
    pending: BTreeMap<i64, Vec<RowId>>,
    /// By partition: rows that were put out and that later frames hold.
    frames: Vec<VecDeque<RowId>>,
    /// By partition: number of rows in the store.
    counts: Vec<u32>,
    dirty: BitSet,
    /// Rows that the last snapshot has and that are not needed any more.
    gone: Vec<RowId>,
    /// Rows that came too late since [`Self::take_late`].
    late: u64,
    restored: HashMap<(Slot, i64), RowId>,
}

impl TimedRows {
    pub(crate) fn new(schema: &SchemaRef, partition: &[usize], time: TimeOf) -> Result<Self> {
        let types: Vec<_> = partition.iter().map(|column| schema.field(*column).data_type().clone()).collect();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        Ok(Self {
            schema: Arc::clone(schema),
            partition: partition.to_vec(),
            time,
            partitions: KeyIndex::new(&types)?,
            codec: RowCodec::new(schema, &all)?,
            store: RowStore::new(),
            next: 0,
            pending: BTreeMap::new(),
            frames: Vec::new(),
            counts: Vec::new(),
            dirty: BitSet::default(),
            gone: Vec::new(),
            late: 0,
            restored: HashMap::new(),
        })
    }

    /// The table of rows.
    pub(crate) fn table(&self) -> StateTable {
        let partition = (0..).zip(&self.partition).map(|(n, column): (u32, _)| {
            Field::new(format!("partition{n}"), self.schema.field(*column).data_type().clone(), true)
        });
        let columns = (0..)
            .zip(self.schema.fields())
            .map(|(n, field): (u32, _)| Field::new(format!("column{n}"), field.data_type().clone(), true));
        let number = Field::new("number", DataType::Int64, false);
        let fired = Field::new("fired", DataType::Boolean, true);
        let time = (self.time == TimeOf::Clock).then(|| Field::new("time", DataType::Int64, true));
        let fields: Vec<_> = partition.chain([number]).chain(columns).chain([fired]).chain(time).collect();
        let distribution = self.partition.len();
        let schema = Arc::new(Schema::new(fields));
        StateTable { name: "rows".to_owned(), schema, key: distribution + 1, distribution }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        // Each row is in one list, of those that wait or of those in a frame.
        let lists =
            memory::of_vec(&self.frames) + memory::of_vec(&self.counts) + 2 * size_of::<RowId>() * self.store.len();
        self.partitions.bytes() + self.store.bytes() + lists + self.dirty.bytes() + memory::of_vec(&self.gone)
    }

    /// Number of partitions that ever were there at once.
    pub(crate) fn capacity(&self) -> usize {
        self.frames.len()
    }

    /// Keeps rows until the watermark reaches them; those that it has passed are left out.
    ///
    /// # Errors
    /// A row without a time.
    pub(crate) fn add(&mut self, batch: &ChangelogBatch, watermark: i64) -> Result<()> {
        let rows = insertions(batch)?;
        let TimeOf::Column(column) = self.time else {
            return Err(Error::bug("rows by the clock have no column of time"));
        };
        let times = millis(rows.column(column).as_ref())?;
        let slots = self.partitions_of(rows)?;
        let encoded = self.codec.encode(rows)?;
        let mut late = 0;
        for (row, (slot, time)) in slots.into_iter().zip(times).enumerate() {
            let time = time.ok_or_else(|| {
                Error::fix("the time attribute that rows are ordered by is NULL in a row")
                    .with_hint("leave such rows out: WHERE the column IS NOT NULL")
            })?;
            if time <= watermark {
                late += 1;
                self.free_partition(slot);
                continue;
            }
            self.push(encoded.row(row), slot, time)?;
        }
        if late > 0 {
            self.late += late;
            tracing::debug!(rows = late, "rows that came too late for their order were dropped");
        }
        Ok(())
    }

    /// Keeps rows that have come at a time of the clock.
    ///
    /// # Errors
    /// None in practice: kernels report bugs as errors.
    pub(crate) fn add_at(&mut self, batch: &ChangelogBatch, now: i64) -> Result<()> {
        let rows = insertions(batch)?;
        let slots = self.partitions_of(rows)?;
        let encoded = self.codec.encode(rows)?;
        slots.into_iter().enumerate().try_for_each(|(row, slot)| self.push(encoded.row(row), slot, now))
    }

    fn push(&mut self, row: &[u8], slot: Slot, time: i64) -> Result<()> {
        let id = self.insert(row, slot, time, self.next)?;
        self.next += 1;
        self.dirty.insert(id);
        self.pending.entry(time).or_default().push(id);
        Ok(())
    }

    /// Number of rows that came too late since the last call.
    pub(crate) fn take_late(&mut self) -> u64 {
        std::mem::take(&mut self.late)
    }

    /// The time of the first row that waits.
    pub(crate) fn first_pending(&self) -> Option<i64> {
        self.pending.first_key_value().map(|(time, _)| *time)
    }

    /// Slots of the partitions of rows, each of which is held once for every row.
    fn partitions_of(&mut self, rows: &RecordBatch) -> Result<Vec<Slot>> {
        let key: Vec<ArrayRef> = self.partition.iter().map(|column| Arc::clone(rows.column(*column))).collect();
        self.slots(&key, rows)
    }

    fn slots(&mut self, key: &[ArrayRef], rows: &RecordBatch) -> Result<Vec<Slot>> {
        let slots = self.partitions.insert(key, rows.num_rows())?;
        self.frames.resize_with(self.partitions.capacity(), VecDeque::new);
        self.counts.resize(self.partitions.capacity(), 0);
        // Until the rows of a batch are kept, every one of them holds its partition.
        slots.iter().for_each(|slot| self.counts[*slot as usize] += 1);
        Ok(slots)
    }

    fn insert(&mut self, row: &[u8], slot: Slot, time: i64, number: i64) -> Result<RowId> {
        self.store.insert(row, Meta { slot, time, number, fired: false, saved: false })
    }

    fn free_partition(&mut self, slot: Slot) {
        let count = &mut self.counts[slot as usize];
        *count -= 1;
        if *count == 0 {
            self.partitions.remove(slot);
        }
    }

    fn remove(&mut self, id: RowId) {
        let slot = self.store.meta(id).slot;
        self.store.remove(id);
        self.free_partition(slot);
    }

    pub(crate) fn meta(&self, id: RowId) -> &Meta {
        self.store.meta(id)
    }

    /// Takes out some rows that the watermark has reached, in their order; all rows of a time together.
    pub(crate) fn due(&mut self, watermark: i64) -> Vec<RowId> {
        let mut due = Vec::new();
        while due.len() < BATCH_ROWS
            && let Some(first) = self.pending.first_entry().filter(|first| *first.key() <= watermark)
        {
            due.extend(first.remove());
        }
        due
    }

    /// Notes that a row is put out, and is in the frames of later ones.
    pub(crate) fn enter(&mut self, id: RowId) {
        let meta = self.store.meta_mut(id);
        meta.fired = true;
        self.frames[meta.slot as usize].push_back(id);
        self.dirty.insert(id);
    }

    /// Takes the first row out of the frame of a partition if it is due to leave.
    pub(crate) fn leave(&mut self, slot: Slot, is_out: impl Fn(usize, &Meta) -> bool) -> Option<RowId> {
        let frame = &mut self.frames[slot as usize];
        let first = *frame.front()?;
        if is_out(frame.len(), self.store.meta(first)) { frame.pop_front() } else { None }
    }

    /// Forgets a row, at the latest with the next snapshot.
    pub(crate) fn forget(&mut self, id: RowId) {
        self.dirty.remove(id);
        if self.store.meta(id).saved {
            self.gone.push(id);
        } else {
            self.remove(id);
        }
    }

    /// Rows as a batch.
    pub(crate) fn decode(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let columns = self.codec.decode(ids.iter().map(|id| self.store.get(*id)))?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::from_arrow)
    }

    pub(crate) fn snapshot(
        &mut self,
        scope: Scope,
        schema: &SchemaRef,
        output: &mut dyn FnMut(ChangelogBatch) -> Result<()>,
    ) -> Result<()> {
        let dirty = self.dirty.take();
        let gone = std::mem::take(&mut self.gone);
        match scope {
            Scope::All => {
                let all: Vec<RowId> =
                    self.pending.values().flatten().chain(self.frames.iter().flatten()).copied().collect();
                self.hand_out(&all, RowKind::Insert, schema, output)?;
            }
            Scope::Changes => {
                let (updated, new): (Vec<RowId>, Vec<RowId>) = dirty.iter().partition(|id| self.store.meta(**id).saved);
                self.hand_out(&gone, RowKind::Delete, schema, output)?;
                self.hand_out(&updated, RowKind::UpdateAfter, schema, output)?;
                self.hand_out(&new, RowKind::Insert, schema, output)?;
            }
        }
        dirty.into_iter().for_each(|id| self.store.meta_mut(id).saved = true);
        gone.into_iter().for_each(|id| self.remove(id));
        Ok(())
    }

    fn hand_out(
        &self,
        ids: &[RowId],
        kind: RowKind,
        schema: &SchemaRef,
        output: &mut dyn FnMut(ChangelogBatch) -> Result<()>,
    ) -> Result<()> {
        for ids in ids.chunks(BATCH_ROWS) {
            let metas = || ids.iter().map(|id| self.store.meta(*id));
            let mut columns = self.partitions.columns(metas().map(|meta| meta.slot))?;
            columns.push(Arc::new(metas().map(|meta| meta.number).collect::<Int64Array>()));
            if kind == RowKind::Delete {
                let rest = &schema.fields()[columns.len()..];
                columns.extend(rest.iter().map(|field| new_null_array(field.data_type(), ids.len())));
            } else {
                columns.extend(self.codec.decode(ids.iter().map(|id| self.store.get(*id)))?);
                columns.push(Arc::new(metas().map(|meta| Some(meta.fired)).collect::<BooleanArray>()));
                if self.time == TimeOf::Clock {
                    columns.push(Arc::new(metas().map(|meta| meta.time).collect::<Int64Array>()));
                }
            }
            let rows = RecordBatch::try_new(Arc::clone(schema), columns).map_err(Error::from_arrow)?;
            let kinds = (kind != RowKind::Insert).then(|| RowKinds::from(vec![kind as u8; ids.len()]));
            output(ChangelogBatch::try_new(rows, kinds)?)?;
        }
        Ok(())
    }

    pub(crate) fn restore(&mut self, rows: &ChangelogBatch) -> Result<()> {
        let lost = || Error::bug("rows in the order of time with other columns");
        let (key, rest) = rows.rows().columns().split_at_checked(self.partition.len()).ok_or_else(lost)?;
        let (number, rest) = rest.split_first().ok_or_else(lost)?;
        let (columns, rest) = rest.split_at_checked(self.schema.fields().len()).ok_or_else(lost)?;
        let (fired, clock) = rest.split_first().ok_or_else(lost)?;
        let numbers = number.as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let fired = fired.as_boolean_opt().ok_or_else(lost)?;
        let loose = columns
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| Field::new(field.name(), column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(loose.collect::<Vec<_>>()));
        let content = RecordBatch::try_new(schema, columns.to_vec()).map_err(Error::from_arrow)?;
        let times = match (self.time, clock) {
            (TimeOf::Column(column), []) => millis(content.column(column).as_ref())?,
            (TimeOf::Clock, [times]) => times.as_primitive_opt::<Int64Type>().ok_or_else(lost)?.iter().collect(),
            _ => return Err(lost()),
        };
        let encoded = self.codec.encode(&content)?;
        let slots = self.slots(key, rows.rows())?;
        for (row, slot) in slots.into_iter().enumerate() {
            let place = (slot, numbers.value(row));
            if !rows.kind(row).is_addition() {
                if let Some(id) = self.restored.remove(&place) {
                    self.remove(id);
                }
                self.free_partition(slot);
                continue;
            }
            let id = match self.restored.get(&place).copied() {
                Some(id) => {
                    self.free_partition(slot);
                    id
                }
                None => self.insert(encoded.row(row), slot, times[row].ok_or_else(lost)?, place.1)?,
            };
            self.restored.insert(place, id);
            let meta = self.store.meta_mut(id);
            (meta.saved, meta.fired) = (true, fired.is_valid(row) && fired.value(row));
            self.next = self.next.max(place.1.saturating_add(1));
        }
        Ok(())
    }

    /// Sorts restored rows into their places.
    pub(crate) fn settle_restored(&mut self) {
        if self.restored.is_empty() {
            return;
        }
        let mut rows: Vec<RowId> = std::mem::take(&mut self.restored).into_values().collect();
        rows.sort_unstable_by_key(|id| {
            let meta = self.store.meta(*id);
            (meta.time, meta.number)
        });
        for id in rows {
            let meta = self.store.meta(id);
            if meta.fired {
                self.frames[meta.slot as usize].push_back(id);
            } else {
                self.pending.entry(meta.time).or_default().push(id);
            }
        }
    }
}

/// The rows of a batch, which may be nothing but insertions.
fn insertions(batch: &ChangelogBatch) -> Result<&RecordBatch> {
    if batch.kinds().is_some_and(|kinds| kinds.iter().any(|kind| *kind != RowKind::Insert as u8)) {
        return Err(Error::bug("an operator in the order of time got a row that is not an insertion"));
    }
    Ok(batch.rows())
}

//! The rows of one side, in Arrow chunks.
//!
//! Rows stay in the batches in which they came: taking one in copies nothing, and a row is a
//! [`Place`], a chunk and a position in it. Small chunks are merged 64 at a time, so that a row is
//! copied at most twice however small the batches are; a chunk is rewritten when more than half of
//! it is dead, so that at most half of the memory is waste.
//!
//! ```text
//! chunk 0   1 a   2 b   3 c          places of 2 and 9: (0, 1), (1, 0)
//! owners    17     -    18           gathered:  2 b
//! chunk 1   9 z                                 9 z
//! owners    19
//! ```

use arrow_array::{ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use hashbrown::HashMap;
use sluice_model::{Error, Result};

use crate::memory;

/// Number of a row of a side; numbers of rows that are gone are used again.
pub(crate) type RowId = u32;

/// No row.
pub(crate) const NO_ROW: RowId = RowId::MAX;

/// Chunks of a tier are merged when there are so many of them.
const FAN_IN: usize = 64;

/// Chunks with fewer rows than this are in tier 0, in tier 1, …; larger ones are never merged.
const TIERS: [usize; 2] = [FAN_IN, FAN_IN * FAN_IN];

/// Chunks are not merged into one of more bytes: 32-bit offsets end at twice that.
const MERGED_BYTES: usize = 1 << 30;

/// Where the content of a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

impl Place {
    /// Nowhere: NULL in every column.
    pub(crate) const NONE: Self = Self { chunk: u32::MAX, row: 0 };

    pub(crate) fn is_some(self) -> bool {
        self.chunk != u32::MAX
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct RowStore {
    /// One row of NULLs.
    nulls: Vec<ArrayRef>,
    /// `None` where a number is free.
    chunks: Vec<Option<Chunk>>,
    free: Vec<u32>,
    /// Chunks of each tier, in the order of their making.
    tiers: [Vec<u32>; TIERS.len()],
    /// Chunks that are new or have lost rows since [`RowStore::tidy`].
    touched: Vec<u32>,
    /// Memory of the chunks.
    bytes: usize,
}

/// Columns of some chunks, and rows as chunk among them and position.
type Sources<'a> = (Vec<&'a [ArrayRef]>, Vec<(usize, usize)>);

#[derive(Debug)]
struct Chunk {
    columns: Vec<ArrayRef>,
    /// By position; [`NO_ROW`] where the row is dead.
    owners: Vec<RowId>,
    live: usize,
    /// Memory of the columns and owners.
    bytes: usize,
    /// Not yet in a tier.
    is_new: bool,
}

impl RowStore {
    /// A store of rows with columns of these types.
    pub(crate) fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Self {
        let nulls = types.into_iter().map(|data_type| new_null_array(data_type, 1)).collect();
        Self { nulls, chunks: Vec::new(), free: Vec::new(), tiers: Default::default(), touched: Vec::new(), bytes: 0 }
    }

    /// Takes a batch in; its rows are dead until they are owned.
    ///
    /// # Errors
    /// More chunks or rows than numbers.
    pub(crate) fn push(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<u32> {
        let bytes = memory::of_columns(&columns) + rows * size_of::<RowId>();
        self.push_chunk(Chunk { columns, owners: vec![NO_ROW; rows], live: 0, bytes, is_new: true })
    }

    /// The row at `place` is alive and belongs to `owner`.
    pub(crate) fn own(&mut self, place: Place, owner: RowId) {
        if let Some(Some(chunk)) = self.chunks.get_mut(place.chunk as usize) {
            chunk.owners[place.row as usize] = owner;
            chunk.live += 1;
        }
    }

    /// The row at `place` is dead; it can be gathered until [`RowStore::tidy`].
    pub(crate) fn disown(&mut self, place: Place) {
        if let Some(Some(chunk)) = self.chunks.get_mut(place.chunk as usize) {
            chunk.owners[place.row as usize] = NO_ROW;
            chunk.live -= 1;
            if self.touched.last() != Some(&place.chunk) {
                self.touched.push(place.chunk);
            }
        }
    }

    /// The owners of live rows, chunk by chunk.
    pub(crate) fn owners(&self) -> impl Iterator<Item = RowId> {
        let owners = self.chunks.iter().flatten().flat_map(|chunk| chunk.owners.iter().copied());
        owners.filter(|owner| *owner != NO_ROW)
    }

    /// True without chunks.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.iter().all(Option::is_none) && self.tiers.iter().all(Vec::is_empty)
    }

    /// Number of columns.
    pub(crate) fn num_columns(&self) -> usize {
        self.nulls.len()
    }

    /// Some columns of the rows at `places`.
    ///
    /// # Errors
    /// A bug: a place that is not there. More than 2 GiB of text in one column.
    pub(crate) fn gather(&self, places: &[Place], columns: impl IntoIterator<Item = usize>) -> Result<Vec<ArrayRef>> {
        let Some(first) = places.first().copied() else {
            return columns.into_iter().map(|column| Ok(self.nulls[column].slice(0, 0))).collect();
        };
        if first.is_some() && places.iter().all(|place| place.chunk == first.chunk) {
            let chunk = self.chunk(first.chunk)?;
            let indices: UInt32Array = places.iter().map(|place| place.row).collect::<Vec<_>>().into();
            let take = |column: usize| take(&chunk.columns[column], &indices, None).map_err(Error::from_arrow);
            return columns.into_iter().map(take).collect();
        }
        let (sources, indices) = self.sources(places)?;
        let gather = |column: usize| {
            let arrays: Vec<_> = sources.iter().map(|columns| columns[column].as_ref()).collect();
            interleave(&arrays, &indices).map_err(Error::from_arrow)
        };
        columns.into_iter().map(gather).collect()
    }

    /// The chunks in which `places` lie, and the places in terms of these.
    fn sources(&self, places: &[Place]) -> Result<Sources<'_>> {
        let mut sources: Vec<&[ArrayRef]> = Vec::new();
        let mut numbers = HashMap::new();
        let mut indices = Vec::with_capacity(places.len());
        let mut last = (None, 0);
        for place in places {
            if last.0 != Some(place.chunk) {
                let number = match numbers.get(&place.chunk) {
                    Some(number) => *number,
                    None => {
                        sources.push(if place.is_some() { &self.chunk(place.chunk)?.columns } else { &self.nulls });
                        numbers.insert(place.chunk, sources.len() - 1);
                        sources.len() - 1
                    }
                };
                last = (Some(place.chunk), number);
            }
            indices.push((last.1, place.row as usize));
        }
        Ok((sources, indices))
    }

    /// Frees what is dead and merges what is small. `moved` is told where rows lie afterwards.
    ///
    /// # Errors
    /// As [`RowStore::gather`].
    pub(crate) fn tidy(&mut self, mut moved: impl FnMut(RowId, Place)) -> Result<()> {
        for chunk in std::mem::take(&mut self.touched) {
            let Some(Some(content)) = self.chunks.get_mut(chunk as usize) else { continue };
            if content.live == 0 {
                self.drop_chunk(chunk);
            } else if content.live * 2 < content.owners.len() {
                self.rewrite(&[chunk], &mut moved)?;
            } else if std::mem::take(&mut content.is_new) {
                self.place_in_tier(chunk);
            }
        }
        for tier in 0..TIERS.len() {
            if self.tiers[tier].len() >= FAN_IN {
                let chunks = std::mem::take(&mut self.tiers[tier]);
                // Chunks that are small in rows but large in bytes stay as they are.
                if chunks.iter().map(|chunk| self.bytes(*chunk)).sum::<usize>() <= MERGED_BYTES {
                    self.rewrite(&chunks, &mut moved)?;
                }
            }
        }
        Ok(())
    }

    /// Copies the live rows of some chunks into a new one.
    fn rewrite(&mut self, chunks: &[u32], moved: &mut impl FnMut(RowId, Place)) -> Result<()> {
        let (mut places, mut owners) = (Vec::new(), Vec::new());
        for chunk in chunks {
            for (row, owner) in (0..).zip(&self.chunk(*chunk)?.owners) {
                if *owner != NO_ROW {
                    places.push(Place { chunk: *chunk, row });
                    owners.push(*owner);
                }
            }
        }
        let columns = self.gather(&places, 0..self.num_columns())?;
        for chunk in chunks {
            self.drop_chunk(*chunk);
        }
        if owners.is_empty() {
            return Ok(());
        }
        let live = owners.len();
        let bytes = memory::of_columns(&columns) + memory::of_vec(&owners);
        let chunk = self.push_chunk(Chunk { columns, owners: owners.clone(), live, bytes, is_new: false })?;
        self.touched.clear();
        self.place_in_tier(chunk);
        for (row, owner) in (0..).zip(owners) {
            moved(owner, Place { chunk, row });
        }
        Ok(())
    }

    fn push_chunk(&mut self, chunk: Chunk) -> Result<u32> {
        let too_many = |_| Error::fix("a join keeps more than 2^32 rows on one side");
        u32::try_from(chunk.owners.len()).map_err(too_many)?;
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.chunks.len()).map_err(too_many)?,
        };
        self.bytes += chunk.bytes;
        match self.chunks.get_mut(number as usize) {
            Some(place) => *place = Some(chunk),
            None => self.chunks.push(Some(chunk)),
        }
        self.touched.push(number);
        Ok(number)
    }

    fn drop_chunk(&mut self, chunk: u32) {
        let dropped = self.chunks[chunk as usize].take();
        self.bytes -= dropped.map_or(0, |chunk| chunk.bytes);
        self.free.push(chunk);
        for tier in &mut self.tiers {
            tier.retain(|other| *other != chunk);
        }
    }

    fn place_in_tier(&mut self, chunk: u32) {
        let rows = self.chunks[chunk as usize].as_ref().map_or(0, |chunk| chunk.live);
        if let Some(tier) = TIERS.iter().position(|limit| rows < *limit) {
            self.tiers[tier].push(chunk);
        }
    }

    fn chunk(&self, chunk: u32) -> Result<&Chunk> {
        let chunk = self.chunks.get(chunk as usize).and_then(Option::as_ref);
        chunk.ok_or_else(|| Error::bug("a join refers to rows that are gone"))
    }

    fn bytes(&self, chunk: u32) -> usize {
        self.chunks[chunk as usize].as_ref().map_or(0, |chunk| chunk.bytes)
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.bytes + memory::of_vec(&self.chunks)
    }
}

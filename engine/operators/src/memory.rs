//! How much memory state takes, as operators tell it.
//!
//! What is counted is what was asked of the allocator: capacities of vectors, bytes of boxes, with a
//! flat surcharge for what the allocator adds to each of them.

use arrow_array::{Array, ArrayRef};

/// What the allocator adds to a small allocation: its header, and rounding up.
pub(crate) const OVERHEAD: usize = 16;

/// Bytes of a vector, without what its elements point to.
pub(crate) fn of_vec<T>(vec: &Vec<T>) -> usize {
    vec.capacity() * size_of::<T>()
}

/// Bytes of a small value in a box, as an allocation of its own; nothing is allocated for none.
pub(crate) fn of_box(length: usize) -> usize {
    if length == 0 { 0 } else { length + OVERHEAD }
}

/// Bytes of a hash table with entries of a type: a control byte each, filled to 7/8 at most.
pub(crate) fn of_table<T>(capacity: usize) -> usize {
    capacity.div_ceil(7) * 8 * (size_of::<T>() + 1)
}

/// Bytes of the rows of columns; what else lies in buffers that they share is not theirs.
pub(crate) fn of_columns(columns: &[ArrayRef]) -> usize {
    columns.iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

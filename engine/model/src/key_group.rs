//! Key groups: the unit in which keyed state and exchanges are partitioned.
//!
//! A key belongs to one of [`KEY_GROUPS`] groups for ever; groups are dealt to subtasks in ranges.
//! So a job restores at another parallelism without looking at single keys.

/// Number of key groups of every job (Flink's default maximum parallelism).
pub const KEY_GROUPS: usize = 128;

/// The key group of a key's hash.
pub const fn key_group_of(hash: u64) -> usize {
    // The high half of a multiplication uses all bits of the hash, unlike a remainder.
    ((hash as u128 * KEY_GROUPS as u128) >> 64) as usize
}

/// The subtask, of `parallelism`, that owns a key group.
pub const fn subtask_of_key_group(key_group: usize, parallelism: usize) -> usize {
    key_group * parallelism / KEY_GROUPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_dealt_in_contiguous_ranges_to_every_subtask() {
        for parallelism in 1..=KEY_GROUPS {
            let owners: Vec<_> = (0..KEY_GROUPS).map(|group| subtask_of_key_group(group, parallelism)).collect();
            assert!(owners.is_sorted());
            assert_eq!(owners.first(), Some(&0));
            assert_eq!(owners.last(), Some(&(parallelism - 1)));
        }
    }

    #[test]
    fn every_hash_has_a_group() {
        for hash in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(key_group_of(hash) < KEY_GROUPS);
        }
    }
}

//! A set of small numbers.

use crate::memory;

/// A set of numbers of slots or rows.
#[derive(Debug, Default)]
pub(crate) struct BitSet(Vec<u64>);

impl BitSet {
    /// Adds a number.
    pub(crate) fn insert(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// Takes a number out.
    pub(crate) fn remove(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut(number as usize / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        memory::of_vec(&self.0)
    }

    /// All numbers, which leave the set.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        let mut numbers = Vec::new();
        for (index, word) in self.0.iter_mut().enumerate() {
            while *word != 0 {
                numbers.push(index as u32 * 64 + word.trailing_zeros());
                *word &= *word - 1;
            }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_was_given() {
        let mut set = BitSet::default();
        for number in [0, 63, 64, 300] {
            set.insert(number);
        }
        set.remove(64);
        set.remove(9999);
        assert_eq!(set.take(), [0, 63, 300]);
        assert!(set.take().is_empty());
    }
}

//! Functions of character strings. Positions and lengths count characters, from 1.

mod codec;
mod edit;
mod inet;
pub(crate) mod like;
mod printf;
mod search;
mod shape;
mod split;
mod url;

pub(crate) use codec::write_hex;

use crate::function::Definition;

pub(crate) fn definitions() -> Vec<Definition> {
    [
        shape::definitions(),
        edit::definitions(),
        inet::definitions(),
        printf::definitions(),
        search::definitions(),
        split::definitions(),
        codec::definitions(),
        url::definitions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The byte at which the character of this index begins; the end if there are not so many.
pub(crate) fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

/// Number of characters.
pub(crate) fn char_count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

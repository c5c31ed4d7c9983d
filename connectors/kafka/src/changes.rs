//! What a changelog asks a keyed topic to do.
//!
//! ```text
//! +I 1 a              value
//! -U 1 a / +U 1 b     value          one message: the -U is undone by the +U that follows it
//! -U 1 b / +U 2 b     tombstone 1, value 2
//! -D 2 b              tombstone
//! ```

use sluice_connector_api::EncodedRows;
use sluice_model::{RowKind, RowKinds};

/// Where a message takes its key from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOf {
    /// The `-U` that was still open behind the batch before.
    Held,
    /// A row of this batch.
    Row(u32),
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) key: KeyOf,
    /// Which of the batch's additions, counted from 0, is the value; none makes a tombstone.
    pub(crate) value: Option<u32>,
}

/// The key of a `-U` whose `+U` may still come: with the next batch.
#[derive(Debug, Default)]
pub(crate) struct HeldKey {
    bytes: Vec<u8>,
    is_held: bool,
}

impl HeldKey {
    pub(crate) fn get(&self) -> Option<&[u8]> {
        self.is_held.then_some(self.bytes.as_slice())
    }

    pub(crate) fn release(&mut self) {
        self.is_held = false;
    }

    fn hold(&mut self, key: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(key);
        self.is_held = true;
    }

    /// What to hold when the messages of [`messages_of`] are out.
    pub(crate) fn keep(&mut self, open: Option<KeyOf>, keys: &EncodedRows) {
        match open {
            None => self.release(),
            Some(KeyOf::Held) => {}
            Some(KeyOf::Row(row)) => self.hold(keys.row(row as usize)),
        }
    }
}

/// Appends the messages of a batch to `messages`, and returns the `-U` that is open behind it.
pub(crate) fn messages_of(
    kinds: Option<&RowKinds>,
    keys: &EncodedRows,
    held: &HeldKey,
    messages: &mut Vec<Message>,
) -> Option<KeyOf> {
    let mut open = held.get().map(|_| KeyOf::Held);
    let mut additions = 0;
    messages.reserve(keys.len());
    for row in 0..keys.len() {
        let kind = kinds.map_or(RowKind::Insert, |kinds| RowKind::from_byte(kinds[row]).unwrap_or(RowKind::Insert));
        if let Some(opened) = open.take()
            && key_bytes(opened, keys, held) != keys.row(row)
        {
            messages.push(Message { key: opened, value: None });
        }
        let key = KeyOf::Row(row as u32);
        match kind {
            RowKind::UpdateBefore => open = Some(key),
            RowKind::Delete => messages.push(Message { key, value: None }),
            RowKind::Insert | RowKind::UpdateAfter => {
                messages.push(Message { key, value: Some(additions) });
                additions += 1;
            }
        }
    }
    open
}

/// The bytes of a message's key.
pub(crate) fn key_bytes<'a>(key: KeyOf, keys: &'a EncodedRows, held: &'a HeldKey) -> &'a [u8] {
    match key {
        KeyOf::Held => held.get().unwrap_or_default(),
        KeyOf::Row(row) => keys.row(row as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use sluice_model::from_pretty;

    /// The messages of several batches: `1=a`, or `1` for a tombstone; what is held at the end in brackets.
    fn written(batches: &[&str]) -> String {
        let mut held = HeldKey::default();
        let mut text = Vec::new();
        for batch in batches {
            let batch = from_pretty("id INT, name STRING", batch);
            let mut keys = EncodedRows::default();
            for id in batch.rows().column(0).as_primitive::<Int32Type>().values() {
                keys.bytes.extend_from_slice(id.to_string().as_bytes());
                keys.end_row();
            }
            let names = batch.rows().column(1).as_string::<i32>();
            let additions: Vec<_> = (0..batch.num_rows())
                .filter(|row| batch.kind(*row).is_addition())
                .map(|row| names.value(row))
                .collect();
            let mut messages = Vec::new();
            let open = messages_of(batch.kinds(), &keys, &held, &mut messages);
            for message in &messages {
                let key = String::from_utf8_lossy(key_bytes(message.key, &keys, &held)).into_owned();
                text.push(message.value.map_or(key.clone(), |value| format!("{key}={}", additions[value as usize])));
            }
            held.keep(open, &keys);
        }
        text.extend(held.get().map(|key| format!("[{}]", String::from_utf8_lossy(key))));
        text.join(" ")
    }

    #[test]
    fn additions_are_values_and_deletions_tombstones() {
        assert_eq!(written(&["+I 1 a / +I 2 b"]), "1=a 2=b");
        assert_eq!(written(&["+I 1 a / -D 1 a / +I 1 b"]), "1=a 1 1=b");
    }

    #[test]
    fn an_update_is_one_message() {
        assert_eq!(written(&["-U 1 a / +U 1 b / -U 1 b / +U 1 c"]), "1=b 1=c");
        assert_eq!(written(&["+U 1 b"]), "1=b");
    }

    #[test]
    fn an_update_that_changes_the_key_deletes_the_old_one() {
        assert_eq!(written(&["-U 1 a / +U 2 a"]), "1 2=a");
        assert_eq!(written(&["-U 1 a / -U 2 b / +U 2 c"]), "1 2=c");
        assert_eq!(written(&["-U 1 a / -D 1 a"]), "1");
    }

    #[test]
    fn an_update_may_be_split_between_batches() {
        assert_eq!(written(&["+I 1 a / -U 1 a", "+U 1 b"]), "1=a 1=b");
        assert_eq!(written(&["-U 1 a", "+I 2 b"]), "1 2=b");
        assert_eq!(written(&["-U 1 a", "-U 2 b"]), "1 [2]");
        assert_eq!(written(&["-U 1 a"]), "[1]");
    }
}

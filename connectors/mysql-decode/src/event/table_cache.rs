//! Table maps by table id, for as long as rows may refer to them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::table_map::TableMap;

/// Above this many ids, those of finished statements are forgotten.
const KEEP: usize = 1024;

/// A server announces a table again for every statement, nearly always with the same bytes. The same bytes yield the
/// same `Arc`, without parsing, so that a decoder built for a table map can be found again by pointer.
#[derive(Debug, Default)]
pub(crate) struct TableCache {
    tables: HashMap<u64, Entry>,
    statement: u64,
}

#[derive(Debug)]
struct Entry {
    map: Arc<TableMap>,
    body: Box<[u8]>,
    /// The statement that announced it last.
    statement: u64,
}

impl TableCache {
    /// The map that was parsed from the same bytes before, announced again.
    pub(crate) fn announce_again(&mut self, table_id: u64, body: &[u8]) -> Option<Arc<TableMap>> {
        let entry = self.tables.get_mut(&table_id).filter(|entry| *entry.body == *body)?;
        entry.statement = self.statement;
        Some(Arc::clone(&entry.map))
    }

    pub(crate) fn announce(&mut self, map: Arc<TableMap>, body: &[u8]) {
        if self.tables.len() >= KEEP {
            let current = self.statement;
            self.tables.retain(|_, entry| entry.statement == current);
        }
        self.tables.insert(map.table_id, Entry { map, body: body.into(), statement: self.statement });
    }

    /// The map rows of the current statement may refer to.
    pub(crate) fn get(&self, table_id: u64) -> Option<&Arc<TableMap>> {
        self.tables.get(&table_id).filter(|entry| entry.statement == self.statement).map(|entry| &entry.map)
    }

    /// Rows of the next statement must announce their tables anew.
    pub(crate) fn end_statement(&mut self) {
        self.statement += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.tables.clear();
    }
}

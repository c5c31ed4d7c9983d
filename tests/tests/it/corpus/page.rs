//! `docs/functions.md` against the engine and the corpus.

use std::collections::BTreeMap;
use std::path::Path;

use super::record::{self, Expected, Record};

/// Rows of results that prove a function: the usual, NULL, and an edge.
const ROWS: usize = 3;

/// A function of the page.
#[derive(Debug)]
struct Entry {
    /// What begins with `yes` or `differs` is there; the rest is `not yet`.
    is_there: bool,
}

/// The functions of the page by name: the words in capitals of the first cell of each row.
fn page() -> BTreeMap<String, Entry> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
    let text = std::fs::read_to_string(file).expect("the page of functions");
    let mut entries = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (Some(names), Some(state)) = (cells.next(), cells.next()) else { panic!("not a row: {row}") };
        let is_there = state.starts_with("yes") || state.starts_with("differs");
        assert!(is_there || state.starts_with("not yet"), "neither yes, differs nor not yet: {row}");
        for call in names.split('`').skip(1).step_by(2) {
            let name = call.split(['(', '[']).next().unwrap_or(call).trim();
            entries.insert(name.replace("\\|", "|").to_owned(), Entry { is_there });
        }
    }
    entries
}

fn records() -> Vec<Record> {
    super::files().iter().flat_map(|file| record::read(file)).collect()
}

/// Whether a statement has a function's name as words of its own, or its operator.
fn mentions(sql: &str, name: &str) -> bool {
    let (sql, name) = (sql.to_uppercase(), name.to_uppercase());
    let is_word = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let named = name.chars().any(char::is_alphanumeric);
    sql.match_indices(&name).any(|(at, _)| {
        let (before, after) = (sql[..at].chars().next_back(), sql[at + name.len()..].chars().next());
        !named || (!is_word(before) && !is_word(after))
    })
}

#[test]
fn functions_of_the_page_are_proven() {
    let records = records();
    let rows_of = |name: &str| -> usize {
        let rows = records.iter().filter(|record| mentions(&record.sql, name)).map(|record| match &record.expected {
            Expected::Rows { rows, .. } => rows.len(),
            Expected::Error(_) => 1,
            Expected::Ok => 0,
        });
        rows.sum()
    };
    let missing: Vec<String> = page()
        .into_iter()
        .filter(|(name, entry)| entry.is_there && rows_of(name) < ROWS)
        .map(|(name, _)| format!("{name} ({} rows)", rows_of(&name)))
        .collect();
    assert!(missing.is_empty(), "tests/slt has fewer than {ROWS} rows of: {}", missing.join(", "));
}

#[test]
fn functions_of_the_engine_are_in_the_page() {
    let page = page();
    let session = sluice_functions::SessionInfo::default();
    let scalars = sluice_functions::scalar_functions(&session);
    let scalars = scalars.iter().flat_map(|function| [vec![function.name().to_owned()], function.aliases().to_vec()]);
    let aggregates = sluice_functions::aggregate_functions(&session);
    let aggregates =
        aggregates.iter().flat_map(|function| [vec![function.name().to_owned()], function.aliases().to_vec()]);
    let names = scalars.chain(aggregates).flatten().map(|name| name.to_uppercase());
    let missing: Vec<String> =
        names.filter(|name| !name.starts_with('_') && !page.get(name).is_some_and(|entry| entry.is_there)).collect();
    assert!(missing.is_empty(), "docs/functions.md does not have: {}", missing.join(", "));
}

#[test]
fn functions_that_are_not_there_yet_are_not_in_the_engine() {
    let session = sluice_functions::SessionInfo::default();
    let scalars = sluice_functions::scalar_functions(&session);
    let is_there = |name: &str| scalars.iter().any(|function| function.name().eq_ignore_ascii_case(name));
    let wrong: Vec<String> =
        page().into_iter().filter(|(name, entry)| !entry.is_there && is_there(name)).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "docs/functions.md says 'not yet' of: {}", wrong.join(", "));
}

//! `docs/flink-compatibility.md` against the corpus: every row about a statement or a part of a query is
//! proven by the records below the heading of its name, or by a test that it names.
//!
//! ```text
//! | `SELECT DISTINCT` | yes | |              ## `SELECT DISTINCT`
//!                                            query T rowsort
//!                                            SELECT DISTINCT k FROM t
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::record::{self, Expected, Record};

/// Sections of the page that the corpus proves.
const SECTIONS: [&str; 2] = ["## Statements", "## Queries"];

/// What a row says.
#[derive(Debug)]
struct Row {
    state: String,
    note: String,
}

fn page() -> BTreeMap<String, Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flink-compatibility.md");
    let text = std::fs::read_to_string(file).expect("the page of compatibility");
    let mut rows = BTreeMap::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.starts_with("## ") {
            is_inside = SECTIONS.contains(&line);
        }
        let is_row = is_inside && line.starts_with("| ") && !line.starts_with("| feature ");
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|')).filter(|_| is_row) else {
            continue;
        };
        let cells: Vec<_> = cells.splitn(3, " | ").map(|cell| cell.trim().replace("\\|", "|")).collect();
        let [title, state, note] = cells.as_slice() else { panic!("not a row of three cells: {line}") };
        let row = Row { state: state.clone(), note: note.clone() };
        assert!(rows.insert(title.clone(), row).is_none(), "two rows are called {title}");
    }
    rows
}

/// The records below each heading.
fn headings() -> BTreeMap<String, Vec<Record>> {
    let mut headings: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for file in super::files() {
        let text = std::fs::read_to_string(&file).expect("a file of the corpus");
        let lines = text.lines().zip(1..).filter_map(|(line, number)| Some((number, line.strip_prefix("## ")?)));
        let starts: Vec<(usize, &str)> = lines.collect();
        for (_, title) in &starts {
            let known = headings.insert((*title).to_owned(), Vec::new());
            assert!(known.is_none(), "{}: another heading is called {title}", file.display());
        }
        for record in record::read(&file) {
            if let Some((_, title)) = starts.iter().rev().find(|(line, _)| *line < record.line) {
                headings.entry((*title).to_owned()).or_default().push(record);
            }
        }
    }
    headings
}

/// The tests that a note refers to.
fn tests_of(note: &str) -> Vec<PathBuf> {
    let links = note.split("](../").skip(1).filter_map(|link| link.split(')').next());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    links.filter(|link| link.ends_with(".rs")).map(|link| root.join(link)).collect()
}

fn mistake(title: &str, row: &Row, records: Option<&Vec<Record>>) -> Option<String> {
    let is_there = row.state == "yes" || row.state == "differs";
    if !is_there && row.state != "not yet" && row.state != "no" {
        return Some(format!("{title}: neither yes, differs, not yet nor no: '{}'", row.state));
    }
    let tests = tests_of(&row.note);
    if let Some(missing) = tests.iter().find(|test| !test.exists()) {
        return Some(format!("{title}: there is no {}", missing.display()));
    }
    let Some(records) = records else {
        return tests.is_empty().then(|| format!("{title}: proven neither by a heading of tests/slt nor by a test"));
    };
    let is_error = |record: &Record| matches!(record.expected, Expected::Error(_));
    match (is_there, records.iter().all(is_error), records.iter().any(is_error)) {
        (true, true, _) if tests.is_empty() => {
            Some(format!("{title}: the page says '{}', and all records are errors", row.state))
        }
        (false, _, false) => Some(format!("{title}: the page says '{}', and no record is an error", row.state)),
        _ => None,
    }
}

#[test]
fn rows_of_the_page_are_proven() {
    let (page, headings) = (page(), headings());
    let unknown: BTreeSet<_> = headings.keys().filter(|title| !page.contains_key(*title)).collect();
    assert!(unknown.is_empty(), "docs/flink-compatibility.md has no rows for the headings {unknown:#?}");
    let mistakes: Vec<_> = page.iter().filter_map(|(title, row)| mistake(title, row, headings.get(title))).collect();
    assert!(mistakes.is_empty(), "docs/flink-compatibility.md and tests/slt disagree:\n{}", mistakes.join("\n"));
}

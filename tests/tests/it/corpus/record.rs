//! Records of a file of the corpus.

use std::path::Path;

/// One statement and what it comes to.
#[derive(Debug)]
pub(super) struct Record {
    /// Line of its first word.
    pub(super) line: usize,
    pub(super) sql: String,
    pub(super) expected: Expected,
}

#[derive(Debug)]
pub(super) enum Expected {
    /// No error.
    Ok,
    /// An error that contains a text.
    Error(String),
    /// Rows, with a letter for the type of each column.
    Rows { types: String, sorted: bool, rows: Vec<String> },
}

/// Reads a file. A record ends with an empty line, except for the one before the first row: records
/// of queries whose first row is empty write `(empty)`.
pub(super) fn read(file: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(file).expect("a file of the corpus");
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line)).peekable();
    let mut records = Vec::new();
    while let Some((line, head)) = lines.next() {
        if head.is_empty() || head.starts_with('#') {
            continue;
        }
        let mut block = Vec::new();
        while let Some((_, text)) = lines.next_if(|(_, text)| !text.is_empty()) {
            block.push(text);
        }
        records.push(parse(line, head, &block).unwrap_or_else(|| panic!("{}:{line}: not a record", file.display())));
    }
    records
}

fn parse(line: usize, head: &str, block: &[&str]) -> Option<Record> {
    let record = |sql: &[&str], expected| Some(Record { line, sql: sql.join("\n"), expected });
    if head == "statement ok" {
        return record(block, Expected::Ok);
    }
    if let Some(text) = head.strip_prefix("statement error ") {
        return record(block, Expected::Error(text.to_owned()));
    }
    let (types, sorted) = match head.strip_prefix("query ")?.split_once(' ') {
        Some((types, "rowsort")) => (types, true),
        Some(_) => return None,
        None => (head.strip_prefix("query ")?, false),
    };
    let end = block.iter().position(|line| *line == "----")?;
    let rows = block[end + 1..].iter().map(|row| if *row == "(empty)" { "" } else { row.trim_end() });
    let rows = rows.map(str::to_owned).collect();
    record(&block[..end], Expected::Rows { types: types.to_owned(), sorted, rows })
}

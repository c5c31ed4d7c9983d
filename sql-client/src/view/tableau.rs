//! Tables of lines: `+----+`, right-aligned cells, a footer with the number of rows.
//!
//! ```text
//! +----+-------------+--------------------------------+
//! | op |          id |                            str |
//! +----+-------------+--------------------------------+
//! | +I |           1 |                    Hello World |
//! | -U |           2 |                         <NULL> |
//! +----+-------------+--------------------------------+
//! Received a total of 2 rows
//! ```
//! Source: `TableauStyle` of Flink.

use sluice_model::Column;
use sluice_server::protocol::TextRow;
use sluice_sql::session::ResultTable;

use super::cells::{column_width, shown};
use crate::width::{self, cut, right};

/// Header of the column of row kinds, and its width.
const KIND: &str = "op";

/// Draws rows in columns of fixed widths.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    headers: Vec<String>,
    widths: Vec<usize>,
    with_kind: bool,
}

impl Frame {
    /// For a stream: the types decide the widths, because rows are not known yet.
    pub(super) fn of_types(columns: &[Column], widest: usize) -> Self {
        let mut headers = vec![KIND.to_owned()];
        let mut widths = vec![KIND.len()];
        headers.extend(columns.iter().map(|column| column.name.clone()));
        widths.extend(columns.iter().map(|column| column_width(column, widest)));
        Self { headers, widths, with_kind: true }
    }

    /// For rows that are all there: the rows decide the widths.
    pub(super) fn of_rows(headers: Vec<String>, rows: &[Vec<String>], widest: usize) -> Self {
        let widths = headers
            .iter()
            .enumerate()
            .map(|(index, header)| {
                let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| width::of(cell));
                cells.chain([width::of(header)]).max().unwrap_or(0).min(widest.max(width::of(header)))
            })
            .collect();
        Self { headers, widths, with_kind: false }
    }

    /// `+----+-----+`.
    pub(super) fn border(&self) -> String {
        let mut line = String::from("+");
        for width in &self.widths {
            line.push_str(&"-".repeat(width + 2));
            line.push('+');
        }
        line.push('\n');
        line
    }

    /// Border, headers, border.
    pub(super) fn head(&self) -> String {
        let headers = self.line(self.headers.iter().map(String::as_str));
        format!("{0}{headers}{0}", self.border())
    }

    /// A row of a stream.
    pub(super) fn row(&self, row: &TextRow) -> String {
        let cells: Vec<_> = row.cells.iter().map(|cell| shown(cell.as_deref())).collect();
        let kind = self.with_kind.then_some(row.kind.as_str());
        self.line(kind.into_iter().chain(cells.iter().map(AsRef::as_ref)))
    }

    /// Cells as they are.
    pub(super) fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut line = String::from("|");
        for (cell, width) in cells.zip(&self.widths) {
            line.push(' ');
            line.push_str(&right(&cut(cell, *width), *width));
            line.push_str(" |");
        }
        line.push('\n');
        line
    }
}

/// All rows in one table, as a batch query or `SHOW` prints them, with the footer.
pub(super) fn whole_table(headers: Vec<String>, rows: &[Vec<String>], widest: usize) -> String {
    if rows.is_empty() {
        return "Empty set\n".to_owned();
    }
    let frame = Frame::of_rows(headers, rows, widest);
    let mut text = frame.head();
    for row in rows {
        text.push_str(&frame.line(row.iter().map(String::as_str)));
    }
    text.push_str(&frame.border());
    let plural = if rows.len() == 1 { "row" } else { "rows" };
    text.push_str(&format!("{} {plural} in set\n", rows.len()));
    text
}

/// A table of `SHOW` or `DESCRIBE`: NULL is an empty cell, and nothing is cut.
pub(crate) fn static_table(table: &ResultTable) -> String {
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            let cells = row
                .iter()
                .map(|cell| cell.as_deref().map_or(String::new(), |text| super::cells::printable(text).into_owned()));
            cells.collect()
        })
        .collect();
    whole_table(table.columns.clone(), &rows, usize::MAX)
}

#[cfg(test)]
mod tests {
    use sluice_model::SqlType;

    use super::*;

    #[test]
    fn a_stream_looks_as_in_flink() {
        let frame = Frame::of_types(&[Column::new("id", SqlType::Int), Column::new("str", SqlType::STRING)], 30);
        let row = |kind: &str, id: &str, text: Option<&str>| TextRow {
            kind: kind.to_owned(),
            cells: vec![Some(id.to_owned()), text.map(str::to_owned)],
        };
        let text = frame.head()
            + &frame.row(&row("+I", "1", Some("Hello World")))
            + &frame.row(&row("-U", "2", None))
            + &frame.row(&row("+U", "3", Some("数据同步架构设计数据同步架构设计")))
            + &frame.border();
        assert_eq!(
            text,
            "+----+-------------+--------------------------------+\n\
             | op |          id |                            str |\n\
             +----+-------------+--------------------------------+\n\
             | +I |           1 |                    Hello World |\n\
             | -U |           2 |                         <NULL> |\n\
             | +U |           3 |  数据同步架构设计数据同步架... |\n\
             +----+-------------+--------------------------------+\n"
        );
    }

    #[test]
    fn a_table_of_show_takes_its_widths_from_the_rows() {
        let table = ResultTable {
            columns: vec!["name".to_owned(), "key".to_owned()],
            rows: vec![
                vec![Some("ss_item_sk".to_owned()), Some("PRI(a)".to_owned())],
                vec![Some("q".to_owned()), None],
            ],
        };
        assert_eq!(
            static_table(&table),
            "+------------+--------+\n\
             |       name |    key |\n\
             +------------+--------+\n\
             | ss_item_sk | PRI(a) |\n\
             |          q |        |\n\
             +------------+--------+\n\
             2 rows in set\n"
        );
        assert_eq!(static_table(&ResultTable::single("table name", [])), "Empty set\n");
        assert!(static_table(&ResultTable::single("t", ["a".to_owned()])).ends_with("1 row in set\n"));
    }

    #[test]
    fn a_batch_result_is_cut_at_the_widest() {
        let text = whole_table(vec!["s".to_owned()], &[vec!["x".repeat(40)]], 30);
        assert!(text.contains(&format!("| {}... |", "x".repeat(27))), "{text}");
    }
}

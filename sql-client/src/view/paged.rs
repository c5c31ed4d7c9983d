//! What the full-screen views draw: a title, the rows of a page, the state, the keys.
//!
//! ```text
//!                     SQL Query Result (Table)
//!  Refresh: 1 s        Page: Last of 3      Updated: 12:00:00.000
//!
//!            id                            str
//!             1                    Hello World
//!
//! Q Quit   + Inc Refresh   G Goto Page   N Next Page   O Open Row
//! R Refresh   - Dec Refresh   L Last Page   P Prev Page
//! ```

use sluice_model::Column;

use super::ResultMode;
use super::cells::{column_width, shown};
use crate::width::{cut, left, right};

/// Lines that are not rows: title, state, blank, header, blank, two of keys.
const OTHER_LINES: usize = 7;

/// Times between two drawings, as in Flink.
pub(super) const INTERVALS: [(&str, u64); 8] = [
    ("Fastest", 100),
    ("500 ms", 500),
    ("1 s", 1000),
    ("5 s", 5000),
    ("10 s", 10_000),
    ("1 min", 60_000),
    ("5 min", 300_000),
    ("-", u64::MAX),
];

/// Where the user looks.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) mode: ResultMode,
    /// Index into [`INTERVALS`].
    pub(super) interval: usize,
    /// Page from 1; `None` for the last one, whichever that is.
    pub(super) number: Option<usize>,
    /// Selected line of the page.
    pub(super) selected: usize,
    pub(super) ended: bool,
    pub(super) updated: String,
    /// Digits that are being typed for `G`.
    pub(super) going_to: Option<String>,
}

/// Size of the terminal in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Size {
    pub(super) fn rows_of_a_page(self) -> usize {
        self.lines.saturating_sub(OTHER_LINES).max(1)
    }
}

impl Page {
    /// Number of pages that `rows` take.
    pub(super) fn pages(rows: usize, size: Size) -> usize {
        rows.div_ceil(size.rows_of_a_page()).max(1)
    }

    /// First and last (exclusive) row that is seen.
    pub(super) fn range(&self, rows: usize, size: Size) -> (usize, usize) {
        let height = size.rows_of_a_page();
        if self.mode == ResultMode::Changelog {
            // The newest changes, at the bottom.
            return (rows.saturating_sub(height), rows);
        }
        let pages = Self::pages(rows, size);
        let page = self.number.unwrap_or(pages).clamp(1, pages);
        let from = (page - 1) * height;
        (from, (from + height).min(rows))
    }

    /// The lines of the screen.
    pub(super) fn draw(&self, columns: &[Column], rows: &[Vec<Option<String>>], total: usize, size: Size) -> Vec<Line> {
        let mut lines = vec![
            Line::title(centred(self.title(), size.columns)),
            Line::plain(self.state(total, size)),
            Line::plain(String::new()),
            Line::header(self.header(columns)),
        ];
        for (index, row) in rows.iter().enumerate() {
            let text = self.cells(columns, row.iter().map(|cell| shown(cell.as_deref()).into_owned()));
            lines.push(Line { text, selected: index == self.selected, ..Line::default() });
        }
        while lines.len() < size.lines.saturating_sub(2) {
            lines.push(Line::plain(String::new()));
        }
        lines.extend(self.keys().into_iter().map(Line::plain));
        for line in &mut lines {
            line.text = clipped(&line.text, size.columns);
        }
        lines
    }

    fn title(&self) -> &'static str {
        match self.mode {
            ResultMode::Changelog => "SQL Query Result (Changelog)",
            _ => "SQL Query Result (Table)",
        }
    }

    fn state(&self, total: usize, size: Size) -> String {
        let left_part = if self.ended {
            " Table program finished.".to_owned()
        } else {
            format!(" Refresh: {}", INTERVALS[self.interval].0)
        };
        let middle = match (self.mode, &self.going_to, self.number) {
            (ResultMode::Changelog, ..) => String::new(),
            (_, Some(digits), _) => format!("Go to page: {digits}_"),
            (_, None, None) => format!("Page: Last of {}", Self::pages(total, size)),
            (_, None, Some(number)) => format!("Page: {number} of {}", Self::pages(total, size)),
        };
        let updated = format!("Updated: {} ", self.updated);
        let side = crate::width::of(&updated);
        let between = centred(&middle, size.columns.saturating_sub(2 * side));
        format!("{}{between}{updated}", left(&left_part, side))
    }

    fn header(&self, columns: &[Column]) -> String {
        let kind = (self.mode == ResultMode::Changelog).then(|| "op".to_owned());
        self.cells(columns, kind.into_iter().chain(columns.iter().map(|column| column.name.clone())))
    }

    fn cells(&self, columns: &[Column], cells: impl Iterator<Item = String>) -> String {
        let kind = (self.mode == ResultMode::Changelog).then_some(2);
        let widths = kind.into_iter().chain(columns.iter().map(|column| column_width(column, 30)));
        cells.zip(widths).map(|(cell, width)| format!(" {}", right(&cut(&cell, width), width))).collect()
    }

    fn keys(&self) -> [String; 2] {
        match self.mode {
            ResultMode::Changelog => {
                [" Q Quit     + Inc Refresh     O Open Row".to_owned(), " R Refresh  - Dec Refresh".to_owned()]
            }
            _ => [
                " Q Quit     + Inc Refresh     G Goto Page     N Next Page     O Open Row".to_owned(),
                " R Refresh  - Dec Refresh     L Last Page     P Prev Page".to_owned(),
            ],
        }
    }
}

/// One row with its columns below each other.
pub(super) fn draw_row(headers: &[String], row: &[Option<String>], size: Size) -> Vec<Line> {
    let mut lines = vec![Line::title(centred("Row Summary", size.columns)), Line::plain(String::new())];
    for (header, cell) in headers.iter().zip(row) {
        lines.push(Line::header(format!(" {header}")));
        lines.push(Line::plain(format!(" = {}", shown(cell.as_deref()))));
    }
    lines.truncate(size.lines.saturating_sub(1));
    while lines.len() < size.lines.saturating_sub(1) {
        lines.push(Line::plain(String::new()));
    }
    lines.push(Line::plain(" Press Q to go back.".to_owned()));
    for line in &mut lines {
        line.text = clipped(&line.text, size.columns);
    }
    lines
}

/// A line of the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) bold: bool,
    pub(super) underlined: bool,
    pub(super) selected: bool,
}

impl Line {
    fn plain(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    fn title(text: String) -> Self {
        Self { text, bold: true, ..Self::default() }
    }

    fn header(text: String) -> Self {
        Self { text, underlined: true, ..Self::default() }
    }
}

fn centred(text: &str, columns: usize) -> String {
    left(&format!("{}{text}", " ".repeat(columns.saturating_sub(crate::width::of(text)) / 2)), columns)
}

fn clipped(text: &str, columns: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += crate::width::of_char(*c);
            used <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sluice_model::SqlType;

    use super::*;

    fn page(mode: ResultMode) -> Page {
        Page {
            mode,
            interval: 2,
            number: None,
            selected: 0,
            ended: false,
            updated: "12:00:00.000".into(),
            going_to: None,
        }
    }

    #[test]
    fn a_page_of_a_table() {
        let columns = [Column::new("id", SqlType::Int)];
        let rows = [vec![Some("1".to_owned())], vec![None]];
        let size = Size { columns: 60, lines: 10 };
        let lines: Vec<String> =
            page(ResultMode::Table).draw(&columns, &rows, 7, size).into_iter().map(|line| line.text).collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0].trim(), "SQL Query Result (Table)");
        assert_eq!(lines[1], " Refresh: 1 s         Page: Last of 3 Updated: 12:00:00.000 ");
        assert_eq!(lines[3], "          id");
        assert_eq!(lines[4], "           1");
        assert_eq!(lines[5], "      <NULL>");
    }

    #[test]
    fn pages_count_from_one_and_the_last_follows() {
        let size = Size { columns: 80, lines: 10 };
        let mut page = page(ResultMode::Table);
        assert_eq!(page.range(7, size), (6, 7));
        page.number = Some(1);
        assert_eq!(page.range(7, size), (0, 3));
        page.number = Some(99);
        assert_eq!(page.range(7, size), (6, 7));
        assert_eq!(page.range(0, size), (0, 0));
    }

    #[test]
    fn the_changelog_shows_the_newest() {
        let size = Size { columns: 80, lines: 10 };
        assert_eq!(page(ResultMode::Changelog).range(7, size), (4, 7));
    }

    #[test]
    fn a_row_can_be_read_in_full() {
        let lines = draw_row(&["id".into()], &[Some("x".repeat(50))], Size { columns: 80, lines: 10 });
        assert!(lines.iter().any(|line| line.text.contains(&"x".repeat(50))));
        assert_eq!(lines.last().unwrap().text, " Press Q to go back.");
    }
}

//! Table and changelog mode: a full screen that follows a query until the user leaves it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_model::{Column, Result};
use sluice_server::protocol::TextRow;

use super::changelog::Changelog;
use super::materialized::Materialized;
use super::paged::{INTERVALS, Page, draw_row};
use super::screen::{Key, Screen};
use super::{Display, ResultMode};
use crate::backend::QueryStream;
use crate::console::Console;

/// Interval that a view starts with: one second.
const FIRST_INTERVAL: usize = 2;
const A_DAY: Duration = Duration::from_secs(86_400);

enum Rows {
    Table(Materialized),
    Changelog(Changelog),
}

impl Rows {
    fn apply(&mut self, row: TextRow) {
        match self {
            Self::Table(table) => table.apply(row),
            Self::Changelog(changelog) => changelog.apply(row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.len(),
            Self::Changelog(changelog) => changelog.len(),
        }
    }

    fn slice(&self, from: usize, to: usize) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Table(table) => table.slice(from, to),
            Self::Changelog(changelog) => changelog.slice(from, to),
        }
    }
}

struct View {
    columns: Vec<Column>,
    rows: Rows,
    page: Page,
    /// The row that is shown in full.
    open: Option<Vec<Option<String>>>,
}

/// Shows a query until the user leaves.
///
/// # Errors
/// The query failed, or the terminal cannot show it.
pub(super) async fn run(query: &mut QueryStream, display: &Display, console: &mut Console) -> Result<()> {
    let rows = match display.mode {
        ResultMode::Changelog => Rows::Changelog(Changelog::default()),
        _ => Rows::Table(Materialized::new(display.most_rows)),
    };
    let page = Page {
        mode: display.mode,
        interval: FIRST_INTERVAL,
        number: None,
        selected: usize::MAX,
        ended: false,
        updated: String::new(),
        going_to: None,
    };
    let mut view = View { columns: query.columns().to_vec(), rows, page, open: None };
    let mut screen = Screen::open()?;
    let result = follow(&mut view, query, &mut screen).await;
    drop(screen);
    if console.is_gone() { Ok(()) } else { result }
}

async fn follow(view: &mut View, query: &mut QueryStream, screen: &mut Screen) -> Result<()> {
    // The first rows are shown at once.
    let mut next_draw = tokio::time::Instant::now() + Duration::from_millis(200);
    view.draw()?;
    loop {
        tokio::select! {
            rows = query.next(), if !view.page.ended => match rows? {
                Some(rows) => rows.into_iter().for_each(|row| view.rows.apply(row)),
                None => {
                    view.page.ended = true;
                    view.draw()?;
                }
            },
            key = screen.key() => {
                if key.is_none_or(|key| !view.press(key)) {
                    return Ok(());
                }
                view.draw()?;
            }
            () = tokio::time::sleep_until(next_draw) => {
                view.draw()?;
                next_draw = tokio::time::Instant::now() + view.interval();
            }
        }
        next_draw = next_draw.min(tokio::time::Instant::now() + view.interval());
    }
}

impl View {
    fn interval(&self) -> Duration {
        Duration::from_millis(INTERVALS[self.page.interval].1).min(A_DAY)
    }

    fn draw(&mut self) -> Result<()> {
        let size = Screen::size();
        if let Some(row) = &self.open {
            let kind = (self.page.mode == ResultMode::Changelog).then(|| "op".to_owned());
            let headers: Vec<String> =
                kind.into_iter().chain(self.columns.iter().map(|column| column.name.clone())).collect();
            return Screen::draw(&draw_row(&headers, row, size));
        }
        let total = self.rows.len();
        let (from, to) = self.page.range(total, size);
        let rows = self.rows.slice(from, to);
        self.page.updated = time_of_day();
        Screen::draw(&self.page.draw(&self.columns, &rows, total, size))
    }

    /// False when the user leaves.
    fn press(&mut self, key: Key) -> bool {
        if self.open.is_some() {
            if matches!(key, Key::Letter('q') | Key::Escape | Key::Interrupt | Key::Enter) {
                self.open = None;
            }
            return true;
        }
        if self.page.going_to.is_some() {
            self.type_page(key);
            return true;
        }
        let size = Screen::size();
        let total = self.rows.len();
        let (from, to) = self.page.range(total, size);
        let visible = to - from;
        let pages = Page::pages(total, size);
        let current = self.page.number.unwrap_or(pages);
        match key {
            Key::Letter('q') | Key::Escape | Key::Interrupt => return false,
            Key::Letter('+') => self.page.interval = (self.page.interval + 1).min(INTERVALS.len() - 1),
            Key::Letter('-') => self.page.interval = self.page.interval.saturating_sub(1),
            Key::Letter('g') => self.page.going_to = Some(String::new()),
            Key::Letter('l') => self.page.number = None,
            Key::Letter('n') => self.page.number = Some((current + 1).min(pages)),
            Key::Letter('p') => self.page.number = Some(current.saturating_sub(1).max(1)),
            Key::Down if self.page.selected == usize::MAX => self.page.selected = 0,
            Key::Down => self.page.selected = (self.page.selected + 1).min(visible.saturating_sub(1)),
            Key::Up => self.page.selected = self.page.selected.min(visible).saturating_sub(1),
            Key::Letter('o') | Key::Enter => {
                let index = from + self.page.selected.min(visible.saturating_sub(1));
                self.open = self.rows.slice(index, index + 1).pop();
            }
            Key::Letter(_) | Key::Resized => {}
        }
        true
    }

    fn type_page(&mut self, key: Key) {
        let typed = self.page.going_to.get_or_insert_default();
        match key {
            Key::Letter(digit) if digit.is_ascii_digit() && typed.len() < 9 => typed.push(digit),
            Key::Enter => {
                self.page.number = typed.parse().ok().filter(|number| *number > 0).or(self.page.number);
                self.page.going_to = None;
            }
            Key::Escape | Key::Interrupt | Key::Letter('q') => self.page.going_to = None,
            _ => {}
        }
    }
}

/// `12:00:00.000`, UTC.
fn time_of_day() -> String {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() % 86_400_000;
    let seconds = millis / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000)
}

#[cfg(test)]
mod tests {
    use sluice_model::SqlType;

    use super::*;

    fn view(rows: usize) -> View {
        let mut view = View {
            columns: vec![Column::new("id", SqlType::Int)],
            rows: Rows::Table(Materialized::new(1000)),
            page: Page {
                mode: ResultMode::Table,
                interval: FIRST_INTERVAL,
                number: None,
                selected: usize::MAX,
                ended: false,
                updated: String::new(),
                going_to: None,
            },
            open: None,
        };
        for number in 0..rows {
            view.rows.apply(TextRow { kind: "+I".into(), cells: vec![Some(number.to_string())] });
        }
        view
    }

    #[test]
    fn keys_move_and_leave() {
        let mut view = view(100);
        assert!(view.press(Key::Letter('p')));
        assert!(view.page.number.is_some());
        view.press(Key::Letter('g'));
        view.press(Key::Letter('2'));
        view.press(Key::Enter);
        assert_eq!(view.page.number, Some(2));
        view.press(Key::Letter('l'));
        assert_eq!(view.page.number, None);
        view.press(Key::Letter('o'));
        assert!(view.open.is_some());
        assert!(view.press(Key::Letter('q')), "q closes the row first");
        assert!(!view.press(Key::Letter('q')));
    }

    #[test]
    fn an_empty_result_has_nothing_to_open() {
        let mut view = view(0);
        assert!(view.press(Key::Down) && view.press(Key::Up) && view.press(Key::Letter('o')));
        assert!(view.open.is_none());
    }
}

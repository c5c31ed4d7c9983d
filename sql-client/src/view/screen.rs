//! The terminal as a full screen, and its keys.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, event, execute, queue};
use sluice_model::{Error, Result};
use tokio::sync::mpsc;

use super::paged::{Line, Size};

/// How often the thread of keys looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(50);

/// A full screen; the terminal is as it was when this is dropped.
pub(super) struct Screen {
    keys: mpsc::UnboundedReceiver<Key>,
    closed: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What a user can press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Up,
    Down,
    Enter,
    Escape,
    Interrupt,
    Resized,
}

fn failed(error: std::io::Error) -> Error {
    Error::fix("the terminal cannot show a full screen")
        .because(error.to_string())
        .with_hint("SET 'sql-client.execution.result-mode' = 'tableau'")
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It is none, or cannot be one.
    pub(super) fn open() -> Result<Self> {
        terminal::enable_raw_mode().map_err(failed)?;
        let closed = Arc::new(AtomicBool::new(false));
        let (sender, keys) = mpsc::unbounded_channel();
        let seen = Arc::clone(&closed);
        let thread = std::thread::spawn(move || read_keys(&sender, &seen));
        // From here on dropping it gives the terminal back.
        let screen = Self { keys, closed, thread: Some(thread) };
        execute!(std::io::stdout(), EnterAlternateScreen, cursor::Hide).map_err(failed)?;
        Ok(screen)
    }

    /// Waits for a key; `None` if there will be no more. Cancel-safe.
    pub(super) async fn key(&mut self) -> Option<Key> {
        self.keys.recv().await
    }

    pub(super) fn size() -> Size {
        let (columns, lines) = terminal::size().unwrap_or((80, 24));
        Size { columns: usize::from(columns.max(20)), lines: usize::from(lines.max(8)) }
    }

    /// Draws all lines.
    ///
    /// # Errors
    /// The terminal has gone.
    pub(super) fn draw(lines: &[Line]) -> Result<()> {
        let mut out = std::io::stdout();
        let mut paint = || -> std::io::Result<()> {
            for (number, line) in lines.iter().enumerate() {
                queue!(
                    out,
                    cursor::MoveTo(0, u16::try_from(number).unwrap_or(u16::MAX)),
                    Clear(ClearType::CurrentLine)
                )?;
                for (wanted, attribute) in [
                    (line.bold, Attribute::Bold),
                    (line.underlined, Attribute::Underlined),
                    (line.selected, Attribute::Reverse),
                ] {
                    if wanted {
                        queue!(out, SetAttribute(attribute))?;
                    }
                }
                queue!(out, Print(&line.text), SetAttribute(Attribute::Reset))?;
            }
            queue!(out, Clear(ClearType::FromCursorDown))?;
            out.flush()
        };
        paint().map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends within its patience, and a key it still reads would be lost to the shell.
            let _ = thread.join();
        }
        let _ = execute!(std::io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

fn read_keys(keys: &mpsc::UnboundedSender<Key>, closed: &AtomicBool) {
    while !closed.load(Ordering::Relaxed) {
        let event = match event::poll(PATIENCE) {
            Ok(true) => event::read(),
            Ok(false) => continue,
            Err(error) => Err(error),
        };
        let Ok(event) = event else { return };
        if let Some(key) = meaning(&event)
            && keys.send(key).is_err()
        {
            return;
        }
    }
}

fn meaning(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else {
        return matches!(event, Event::Resize(..)).then_some(Key::Resized);
    };
    if *kind == KeyEventKind::Release {
        return None;
    }
    match code {
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Interrupt),
        KeyCode::Char(letter) => Some(Key::Letter(letter.to_ascii_lowercase())),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::PageDown => Some(Key::Letter('n')),
        KeyCode::PageUp => Some(Key::Letter('p')),
        _ => None,
    }
}

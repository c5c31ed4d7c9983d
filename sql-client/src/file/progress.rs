//! Bars on a terminal: one per table during its snapshot, and a line per job below them.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::rates::{Rates, Snapshot};
use super::status::{count, span};

/// Bars and lines of all jobs, drawn on standard error.
pub(super) struct Progress {
    all: MultiProgress,
    bars: HashMap<String, ProgressBar>,
    lines: HashMap<String, ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self { all, bars: HashMap::new(), lines: HashMap::new() }
    }

    /// Runs what prints to the terminal while the bars are out of the way.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Draws a job as it stands.
    pub(super) fn update(&mut self, job: &str, rates: &Rates, line: String) {
        let snapshots = rates.last().map(|sample| sample.snapshots.clone()).unwrap_or_default();
        for snapshot in &snapshots {
            self.draw_bar(job, snapshot, rates.of_table(&snapshot.table));
        }
        let all = &self.all;
        let shown = self.lines.entry(job.to_owned()).or_insert_with(|| {
            let shown = all.add(ProgressBar::new_spinner());
            shown.set_style(style("{spinner} {wide_msg}"));
            shown.enable_steady_tick(Duration::from_millis(120));
            shown
        });
        shown.set_message(line);
    }

    fn draw_bar(&mut self, job: &str, snapshot: &Snapshot, rate: f64) {
        let key = format!("{job}/{}", snapshot.table);
        if snapshot.finished {
            if let Some(bar) = self.bars.get(&key).filter(|bar| !bar.is_finished()) {
                bar.set_length(snapshot.rows.max(1));
                bar.set_position(snapshot.rows);
                bar.finish_with_message("snapshot finished");
            }
            return;
        }
        let all = &self.all;
        let bar = self.bars.entry(key).or_insert_with(|| {
            let bar = all.insert(0, ProgressBar::new(snapshot.estimated.max(1)));
            bar.set_style(style("{prefix:24!} {bar:30} {percent:>3} % {human_pos}/~{human_len} rows {msg}"));
            bar.set_prefix(snapshot.short_name().to_owned());
            bar
        });
        // The estimate may be too low; a bar that runs over its end says nothing.
        bar.set_length(snapshot.estimated.max(snapshot.rows + snapshot.rows / 100).max(1));
        bar.set_position(snapshot.rows);
        bar.set_message(message(snapshot, rate));
    }

    /// Takes everything off the screen.
    pub(super) fn clear(&self) {
        for line in self.lines.values() {
            line.finish_and_clear();
        }
        for bar in self.bars.values() {
            bar.finish();
        }
    }
}

fn message(snapshot: &Snapshot, rate: f64) -> String {
    let left = snapshot.estimated.saturating_sub(snapshot.rows) as f64;
    let eta = if rate > 0.0 { format!(", {} left", span((left / rate * 1000.0) as i64)) } else { String::new() };
    let chunks = match snapshot.chunks_total {
        0 => String::new(),
        total => format!(", chunk {}/{total}", snapshot.chunks_done),
    };
    format!("{}/s{chunks}{eta}", count(rate))
}

/// A template of this file; one that cannot be read would be replaced by a plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▉▊▋▌▍▎▏ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_read() {
        assert!(ProgressStyle::with_template("{spinner} {wide_msg}").is_ok());
        assert!(
            ProgressStyle::with_template("{prefix:24!} {bar:30} {percent:>3} % {human_pos}/~{human_len} rows {msg}")
                .is_ok()
        );
    }

    #[test]
    fn a_bar_says_rate_chunks_and_what_is_left() {
        let snapshot = Snapshot {
            table: "t".into(),
            rows: 400,
            estimated: 1000,
            chunks_done: 4,
            chunks_total: 10,
            finished: false,
        };
        assert_eq!(message(&snapshot, 200.0), "200/s, chunk 4/10, 3.0 s left");
        assert_eq!(message(&Snapshot::default(), 0.0), "0/s");
    }
}

//! Follows the jobs of a file until they end or the user ends them.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::Clock;
use sluice_runtime::{JobHandle, JobStatus};
use sluice_server::Server;

use super::progress::Progress;
use super::rates::{Rates, Sample};
use super::status;
use crate::console::Console;
use crate::failure;
use crate::runtime::Exit;
use crate::signals::Signals;

/// Time between two looks on a terminal.
const LOOK: Duration = Duration::from_millis(500);
/// Time between two lines where there is no terminal.
const PLAIN_LINE: Duration = Duration::from_secs(10);

struct Watched {
    job: JobHandle,
    rates: Rates,
    /// Failures that were told.
    told: usize,
    ended: bool,
}

/// The jobs of a file, while they run in this process.
pub(super) struct Watch<'a> {
    jobs: Vec<Watched>,
    source: &'a str,
    clock: Arc<dyn Clock>,
    progress: Option<Progress>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(jobs: Vec<JobHandle>, source: &'a str, clock: Arc<dyn Clock>, console: &Console) -> Self {
        let watched = |job| Watched { job, rates: Rates::default(), told: 0, ended: false };
        let bars = console.is_terminal() && std::io::stderr().is_terminal();
        Self { jobs: jobs.into_iter().map(watched).collect(), source, clock, progress: bars.then(Progress::new) }
    }

    /// Follows the jobs to their end. `Failed` if one of them failed.
    pub(super) async fn run(mut self, server: Server, console: &mut Console, signals: &mut Signals) -> Exit {
        let mut look = tokio::time::interval(LOOK);
        let mut next_line = tokio::time::Instant::now() + PLAIN_LINE;
        while self.jobs.iter().any(|watched| !watched.ended) {
            tokio::select! {
                _ = look.tick() => {
                    self.look(console).await;
                    if self.progress.is_none() && tokio::time::Instant::now() >= next_line {
                        next_line += PLAIN_LINE;
                        self.print_lines(console);
                    }
                }
                () = signals.received() => return self.stop(server, console, signals).await,
            }
        }
        if let Some(progress) = &self.progress {
            progress.clear();
        }
        server.stop().await;
        self.exit()
    }

    fn exit(&self) -> Exit {
        let failed = self.jobs.iter().any(|watched| matches!(watched.job.status(), JobStatus::Failed));
        if failed { Exit::Failed } else { Exit::Done }
    }

    async fn look(&mut self, console: &mut Console) {
        let now = self.clock.now_millis();
        for index in 0..self.jobs.len() {
            if self.jobs[index].ended {
                continue;
            }
            self.tell_failures(index, console);
            let watched = &mut self.jobs[index];
            watched.rates.update(Sample::of(&watched.job, now));
            if watched.job.status().is_terminal() {
                watched.ended = true;
                self.tell_end(index, console).await;
                continue;
            }
            if let Some(progress) = &mut self.progress {
                let line = status::line(&watched.job, &watched.rates, now);
                progress.update(watched.job.id().as_str(), &watched.rates, line);
            }
        }
    }

    /// Failures from which the job starts again.
    fn tell_failures(&mut self, index: usize, console: &mut Console) {
        let watched = &mut self.jobs[index];
        let failures = watched.job.exceptions();
        // A bounded history forgets its oldest: what is new is told at most once.
        let new: Vec<_> = failures.iter().skip(watched.told.min(failures.len())).cloned().collect();
        watched.told = failures.len().max(watched.told);
        if watched.job.status().is_terminal() {
            return;
        }
        for failure in new {
            let text = format!(
                "Job '{}' failed and is started again from its newest checkpoint:\n{}",
                watched.job.name(),
                failure.error
            );
            print_aside(self.progress.as_ref(), || console.warning(&text));
        }
    }

    async fn tell_end(&mut self, index: usize, console: &mut Console) {
        let watched = &self.jobs[index];
        let (name, id) = (watched.job.name().to_owned(), watched.job.id().to_string());
        let result = watched.job.wait().await;
        let status = watched.job.status();
        let task = watched.job.exceptions().pop().and_then(|failure| failure.task);
        let (source, progress) = (self.source, self.progress.as_ref());
        print_aside(progress, || match &result {
            Ok(()) => console.info(&format!("Job '{name}' ({id}) is {status}.")),
            Err(error) => {
                console.error(&format!("Job '{name}' ({id}) failed:"));
                console.line(&failure::explain(error, Some(source)));
                if let Some(task) = &task {
                    console.line(&format!("  in task: {task}"));
                }
            }
        });
    }

    fn print_lines(&self, console: &mut Console) {
        let now = self.clock.now_millis();
        for watched in self.jobs.iter().filter(|watched| !watched.ended) {
            console.line(&status::line(&watched.job, &watched.rates, now));
        }
    }

    /// Stops all jobs with a final checkpoint; a second signal ends the process at once.
    async fn stop(self, server: Server, console: &mut Console, signals: &mut Signals) -> Exit {
        if let Some(progress) = &self.progress {
            progress.clear();
        }
        console.line("");
        console.info("Stopping with a final checkpoint … (Ctrl-C again to abort)");
        tokio::select! {
            () = server.stop() => {}
            () = signals.received() => {
                console.warning("Aborted. The next start goes on from the last checkpoint that completed.");
                return Exit::Interrupted;
            }
        }
        for watched in &self.jobs {
            if !watched.ended {
                tell_where_to_resume(&watched.job, console);
            }
        }
        self.exit()
    }
}

/// Says what the next start of the same file goes on from.
pub(crate) fn tell_where_to_resume(job: &JobHandle, console: &mut Console) {
    let (name, status) = (job.name(), job.status());
    match job.checkpoints().latest_completed {
        Some(info) => {
            let place = info.path.map(|path| format!(" ({path})")).unwrap_or_default();
            console.info(&format!(
                "Job '{name}' is {status}. Run the same command again to go on from checkpoint {}{place}.",
                info.id
            ));
        }
        None => console.info(&format!("Job '{name}' is {status}. It had no checkpoint: the same command begins anew.")),
    }
}

fn print_aside<T>(progress: Option<&Progress>, print: impl FnOnce() -> T) -> T {
    match progress {
        Some(progress) => progress.aside(print),
        None => print(),
    }
}

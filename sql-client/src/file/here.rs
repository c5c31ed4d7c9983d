//! Runs a job file in this process.

use std::sync::Arc;

use sluice_model::{Error, Result};
use sluice_runtime::JobHandle;
use sluice_server::ScriptSettings;
use sluice_sql::session::{Outcome, Script, ScriptEvent, Session};

use super::JobFile;
use super::lock::FileLock;
use super::watch::Watch;
use crate::args::SqlArgs;
use crate::backend::{LocalQuery, QueryStream, job_ref};
use crate::console::Console;
use crate::failure;
use crate::runtime::Exit;
use crate::signals::Signals;
use crate::sql_client::serve_here;
use crate::view::{Display, ResultMode, show};

/// Runs a file and follows its jobs.
///
/// # Errors
/// There is no home directory, or another process runs this file.
pub(crate) async fn run_here(
    args: &SqlArgs,
    init: Option<&JobFile>,
    file: &JobFile,
    console: &mut Console,
) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let (server, environment) = serve_here(args, console).await?;
    let _lock = FileLock::take(&environment.home, file)?;
    let mut session = Session::new(Arc::clone(&environment));
    for (key, value) in &args.settings {
        let notes = session.set(key, value, None)?;
        console.notes(&notes);
    }
    let mut jobs = Vec::new();
    if let Some(init) = init {
        if run_script(&mut session, init, false, console, &mut signals, &mut jobs).await == Exit::Failed {
            console.line(&format!(
                "Failed to initialize from sql script: {}. Please refer to the LOG for detailed error messages.",
                init.path
            ));
            server.stop().await;
            return Ok(Exit::Failed);
        }
        console.line(&format!("Successfully initialized from sql script: {}", init.path));
    }
    console.info("Executing SQL from file.");
    console.line("");
    let exit = run_script(&mut session, file, true, console, &mut signals, &mut jobs).await;
    if exit == Exit::Failed || jobs.is_empty() {
        if !jobs.is_empty() {
            console.warning("The jobs that the file had submitted before are stopped with it.");
        }
        server.stop().await;
        return Ok(exit);
    }
    console.info(&format!(
        "{} running in this process, shown at http://{} — Ctrl-C stops with a final checkpoint.",
        count(jobs.len()),
        server.address()
    ));
    let watch = Watch::new(jobs, &file.text, Arc::clone(&environment.clock), console);
    Ok(watch.run(server, console, &mut signals).await)
}

fn count(jobs: usize) -> String {
    if jobs == 1 { "1 job is".to_owned() } else { format!("{jobs} jobs are") }
}

async fn run_script(
    session: &mut Session,
    file: &JobFile,
    echo: bool,
    console: &mut Console,
    signals: &mut Signals,
    jobs: &mut Vec<JobHandle>,
) -> Exit {
    let result = match Script::parse(&file.text) {
        Ok(script) => {
            let mut settings = ScriptSettings::new(session.settings().clone(), &script);
            let mut on_event = |event: ScriptEvent<'_>| -> Result<()> {
                match event {
                    ScriptEvent::Statement(text) => {
                        settings.next_statement();
                        if echo {
                            console.echo(text);
                        }
                        Ok(())
                    }
                    ScriptEvent::Note(note) => {
                        console.info(&note);
                        Ok(())
                    }
                    ScriptEvent::Outcome(outcome) => tell(outcome, &settings, echo, console, signals, jobs),
                }
            };
            session.run_script(&script, file.name.as_deref(), &mut on_event).await
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            failure::report(console, &error, Some(&file.text));
            Exit::Failed
        }
    }
}

fn tell(
    outcome: Outcome,
    settings: &ScriptSettings,
    echo: bool,
    console: &mut Console,
    signals: &mut Signals,
    jobs: &mut Vec<JobHandle>,
) -> Result<()> {
    match outcome {
        Outcome::Done { notes } if echo => console.done(&notes),
        Outcome::Done { notes } => console.notes(&notes),
        Outcome::Rows(table) => console.table(&table),
        Outcome::Submitted { jobs: new, notes, sync } => {
            let refs: Vec<_> = new.iter().map(job_ref).collect();
            console.submitted(&refs, &notes, sync);
            jobs.extend(new.into_iter().map(|job| job.handle));
        }
        Outcome::Query(query) => {
            let zone = settings.get("table.local-time-zone").unwrap_or("UTC");
            let query = QueryStream::Local(LocalQuery::new(query, zone));
            // Without a user at the keys, rows are printed as they come, whatever the mode.
            let display =
                Display::from_settings(|key| settings.get(key).map(str::to_owned), Some(ResultMode::Tableau))?;
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(show(query, &display, console, signals))
            })?;
        }
        Outcome::Quit => {
            return Err(Error::fix("QUIT in a job file").with_hint("leave it out: the file ends by itself"));
        }
        Outcome::Clear | Outcome::Help => {}
    }
    Ok(())
}

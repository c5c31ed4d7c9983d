//! `SHOW JOBS`, `DESCRIBE JOB` and `STOP JOB`.

use sluice_model::{Error, Position, Result};
use sluice_runtime::{JobHandle, JobId, StopRequest};

use crate::parser::StopJob;
use crate::session::{Outcome, ResultTable, Session};

/// `SHOW JOBS`.
pub(crate) fn list(session: &Session) -> ResultTable {
    table(session.environment().engine.jobs())
}

/// `DESCRIBE JOB 'id'`.
pub(crate) fn describe(session: &Session, id: &str, position: Position) -> Result<ResultTable> {
    Ok(table(vec![find(session, id, position)?]))
}

/// `STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]`.
pub(crate) async fn stop(session: &Session, stop: &StopJob) -> Result<Outcome> {
    let job = find(session, &stop.id, stop.position)?;
    if job.status().is_terminal() {
        return Err(Error::fix(format!("job {} has ended already: {}", stop.id, job.status())).at(stop.position));
    }
    if !stop.savepoint {
        job.cancel();
        return Ok(Outcome::done());
    }
    let request = StopRequest { drain: stop.drain, savepoint: true, savepoint_dir: None };
    let path = job.stop(request).await?;
    Ok(Outcome::Rows(ResultTable::single("savepoint path", path)))
}

fn find(session: &Session, id: &str, position: Position) -> Result<JobHandle> {
    let parsed = JobId::parse(id).map_err(|error| error.at(position))?;
    session
        .environment()
        .engine
        .job(&parsed)
        .ok_or_else(|| Error::fix(format!("there is no job '{id}'")).at(position).with_hint("SHOW JOBS lists the jobs"))
}

fn table(jobs: Vec<JobHandle>) -> ResultTable {
    let columns = ["job id", "job name", "status", "start time"].map(str::to_owned).to_vec();
    let rows = jobs
        .into_iter()
        .map(|job| {
            let start = chrono::DateTime::from_timestamp_millis(job.start_time())
                .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string());
            vec![Some(job.id().to_string()), Some(job.name().to_owned()), Some(job.status().to_string()), start]
        })
        .collect();
    ResultTable { columns, rows }
}

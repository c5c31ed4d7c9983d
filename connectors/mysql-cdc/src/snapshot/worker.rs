//! A connection that reads chunks.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use sluice_model::{Error, Reaction, Result};
use sluice_mysql_decode::{ResultRowDecoder, RowBatchBuilder};
use tokio::sync::{Mutex, mpsc};

use super::{Answer, ChunkJob, SnapshotContext, fence, statements};
use crate::decode_error;
use crate::feed::Feed;
use crate::position::Place;
use crate::server::{GrantHint, Session};

/// Reads chunks until there is nobody to hand them to.
pub(super) async fn run(
    context: Arc<SnapshotContext>,
    jobs: Arc<Mutex<mpsc::Receiver<ChunkJob>>>,
    answers: mpsc::Sender<Answer>,
) -> Result<()> {
    let mut session = None;
    loop {
        let Some(job) = jobs.lock().await.recv().await else {
            return Ok(());
        };
        let answer = match read_again(&context, &mut session, &job).await {
            Ok((rows, high)) => Answer::Chunk { feed: job.feed, id: job.id, rows, high },
            Err(error) => Answer::Failed(error),
        };
        if answers.send(answer).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads a chunk, over a new connection when the old one breaks.
async fn read_again(
    context: &SnapshotContext,
    session: &mut Option<Session>,
    job: &ChunkJob,
) -> Result<(RecordBatch, Place)> {
    let mut attempt = 0;
    loop {
        match read(context, session, job).await {
            Err(error) if error.reaction() == Reaction::Retry && attempt < context.max_retries => {
                *session = None;
                tokio::time::sleep(Duration::from_millis(200 << attempt.min(6))).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}

async fn read(
    context: &SnapshotContext,
    session: &mut Option<Session>,
    job: &ChunkJob,
) -> Result<(RecordBatch, Place)> {
    let session = connected(context, session).await?;
    let feed = context.feeds.get(job.feed).ok_or_else(|| Error::bug("a chunk of no table"))?;
    let fence = fence::open(session, &context.server, feed, &job.visible).await?;
    let rows = rows(context, session, feed, &statements::select_chunk(feed, &job.range)?).await;
    let rows = rows.map_err(|error| error.while_doing(format!("reading table {}", feed.table.full_name())))?;
    let high = fence::close(session, &context.server, feed, fence).await?;
    Ok((rows, high))
}

/// The session, connected if it is not, and to the server whose log is read.
pub(super) async fn connected<'a>(
    context: &SnapshotContext,
    session: &'a mut Option<Session>,
) -> Result<&'a mut Session> {
    if session.is_none() {
        let mut new = Session::connect(&context.connect).await?;
        new.use_utc().await?;
        context.server.expect_same(&mut new).await?;
        *session = Some(new);
    }
    session.as_mut().ok_or_else(|| Error::bug("a session vanished"))
}

/// The rows of a statement, decoded from the socket's buffer into columns.
async fn rows(context: &SnapshotContext, session: &mut Session, feed: &Feed, sql: &str) -> Result<RecordBatch> {
    let mut decoder = ResultRowDecoder::with_options(&feed.columns, context.decode.clone()).map_err(decode_error)?;
    let mut builder = feed.builder()?;
    match stream(session, &mut decoder, &mut builder, sql).await {
        Ok(()) => {
            context.losses.count(&builder, (0, 0));
            Ok(feed.take(&mut builder, &[])?.into_parts().0)
        }
        Err(Failure::Decode(error)) => Err(error),
        Err(Failure::Wire(error)) => Err(session.failure(&error, &GrantHint::Select(feed.table.quoted()))),
    }
}

enum Failure {
    Wire(crate::wire::WireError),
    Decode(Error),
}

async fn stream(
    session: &mut Session,
    decoder: &mut ResultRowDecoder,
    builder: &mut RowBatchBuilder,
    sql: &str,
) -> Result<(), Failure> {
    let connection = session.connection();
    connection.start_rows(sql).await.map_err(Failure::Wire)?;
    loop {
        while let Some(row) = connection.buffered_row().map_err(Failure::Wire)? {
            match row {
                Some(packet) => {
                    decoder.decode_row(packet, builder).map_err(|error| Failure::Decode(decode_error(error)))?;
                }
                None => return Ok(()),
            }
        }
        connection.fill().await.map_err(Failure::Wire)?;
    }
}

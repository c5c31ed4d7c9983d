//! Reads whose age in the log is known.
//!
//! A transaction is in the log before its rows are visible, and in the set of executed transactions after. So what a
//! read shows at least is told by visibility, and what it shows at most by a place in the log:
//!
//! | server | shows at least what was consumed, because | shows nothing behind |
//! |---|---|---|
//! | MariaDB | the place of its own read view is asked for, until it lies behind | the same place |
//! | MySQL with GTIDs | the consumed GTIDs are waited for in `gtid_executed` | the log's end after the read |
//! | MySQL without | writers of the table are waited for with a lock, held for no time | the log's end after the read |
//! | tables without transactions | writers are locked out while it is read | the log's end under the lock |

use std::time::Duration;

use sluice_model::{Error, Result};
use sluice_mysql_decode::Flavour;

use super::Visible;
use crate::feed::Feed;
use crate::position::Place;
use crate::server::{GrantHint, Server, Session};

/// A read view that shows what it has to; its age may be known only when the rows have been read.
pub(super) enum Fence {
    /// Of this age.
    Known(Place),
    /// As old as the log's end when the rows have been read.
    AtEnd,
}

/// Waits between attempts to see a transaction: it becomes visible within a moment, unless a semi-synchronous replica
/// is waited for.
const WAITS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 250];

/// Opens a read view that shows what is `visible`.
pub(super) async fn open(session: &mut Session, server: &Server, feed: &Feed, visible: &Visible) -> Result<Fence> {
    if !feed.table.is_transactional {
        lock(session, feed).await?;
        return server.log_end(session).await.map(|end| Fence::Known(end.place()));
    }
    match server.flavour {
        Flavour::MariaDb => consistent_snapshot(session, visible).await.map(Fence::Known),
        Flavour::MySql => {
            match visible {
                Visible::Nothing => {}
                Visible::Gtids(gtids) => executed(session, gtids).await?,
                Visible::Unnamed | Visible::Place(_) => {
                    lock(session, feed).await?;
                    session.query("UNLOCK TABLES").await?;
                }
            }
            Ok(Fence::AtEnd)
        }
    }
}

/// Ends the read view; returns the place behind which it showed nothing.
pub(super) async fn close(session: &mut Session, server: &Server, feed: &Feed, fence: Fence) -> Result<Place> {
    let place = match fence {
        Fence::Known(place) => place,
        Fence::AtEnd => server.log_end(session).await?.place(),
    };
    if !feed.table.is_transactional {
        session.query("UNLOCK TABLES").await?;
    } else if server.flavour == Flavour::MariaDb {
        session.query("COMMIT").await?;
    }
    Ok(place)
}

/// MariaDB: a read view of the engine together with its place in the log.
async fn consistent_snapshot(session: &mut Session, visible: &Visible) -> Result<Place> {
    let mut waits = WAITS.iter();
    loop {
        let (file, pos) = snapshot_place(session).await?;
        let place = Place::new(&file, pos);
        match visible {
            Visible::Place(consumed) if *consumed >= place => {
                session.query("ROLLBACK").await?;
                pause(waits.next()).await;
            }
            _ => return Ok(place),
        }
    }
}

/// MariaDB: opens a read view; file and position up to which it shows the log's transactions.
pub(crate) async fn snapshot_place(session: &mut Session) -> Result<(String, u64)> {
    session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let status = session.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let value = |name: &str| {
        (0..status.rows.len())
            .find(|row| status.cell(*row, 0).is_some_and(|key| key.eq_ignore_ascii_case(name)))
            .and_then(|row| status.cell(row, 1))
    };
    match (value("binlog_snapshot_file"), value("binlog_snapshot_position").and_then(|pos| pos.parse().ok())) {
        (Some(file), Some(pos)) if !file.is_empty() => Ok((file, pos)),
        _ => Err(Error::fix("the server does not say where its read views stand in the log")
            .because("SHOW STATUS LIKE 'binlog_snapshot_%' is empty")
            .with_hint("set log_bin=ON on the server and restart it")),
    }
}

async fn executed(session: &mut Session, gtids: &str) -> Result<()> {
    let mut waits = WAITS.iter();
    while session.scalar(&format!("SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)")).await? != "1" {
        pause(waits.next()).await;
    }
    Ok(())
}

/// Waits until nobody writes the table, and keeps it so.
async fn lock(session: &mut Session, feed: &Feed) -> Result<()> {
    // A lock that waits stops new writers: give way soon, and try again.
    session.query("SET SESSION lock_wait_timeout = 2").await?;
    let statement = format!("LOCK TABLES {} READ", feed.table.quoted());
    let mut waits = WAITS.iter();
    loop {
        match session.try_query(&statement).await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some(1205) => pause(waits.next()).await,
            Err(error) => {
                let failure = session.failure(&error, &GrantHint::Lock(feed.table.quoted()));
                return Err(failure.while_doing(format!(
                    "table {} has to be locked for an instant, for its server numbers no transactions",
                    feed.table.full_name()
                )));
            }
        }
    }
}

async fn pause(wait: Option<&u64>) {
    tokio::time::sleep(Duration::from_millis(wait.copied().unwrap_or(500))).await;
}

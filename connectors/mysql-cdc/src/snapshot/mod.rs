//! Reading the rows that exist: connections that divide tables into chunks and read them.
//!
//! ```text
//!              ┌── divider: bounds of the next chunks, and where keys lie between bounds
//! reader ──────┤
//!              └── workers: rows of a registered chunk, and the place in the log they are as new as
//! ```

mod divider;
mod fence;
mod statements;
mod worker;

pub(crate) use fence::snapshot_place;

use std::sync::Arc;

use arrow_array::RecordBatch;
use sluice_connector_api::Spawner;
use sluice_model::Error;
use sluice_mysql_decode::DecodeOptions;
use tokio::sync::{Mutex, mpsc};

use crate::chunk::{Bound, ChunkId, Range};
use crate::feed::Feed;
use crate::losses::Losses;
use crate::position::Place;
use crate::server::Server;
use crate::wire::ConnectOptions;

/// What a read has to show at least: everything that was consumed from the log before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visible {
    /// Nothing was consumed that is not visible for long.
    Nothing,
    /// Transactions without a name: a lock has to see to it.
    Unnamed,
    /// The transaction that begins at this place.
    Place(Place),
    /// These transactions.
    Gtids(Arc<str>),
}

/// A chunk to read.
#[derive(Debug)]
pub(crate) struct ChunkJob {
    pub(crate) feed: usize,
    pub(crate) id: ChunkId,
    pub(crate) range: Range,
    pub(crate) visible: Visible,
}

/// A question for the divider.
#[derive(Debug)]
pub(crate) enum Question {
    /// Where to cut a part of a table next.
    Divide { feed: usize, range: Range },
    /// Between which bounds keys lie.
    Rank { feed: usize, bounds: Vec<Bound>, keys: Vec<Vec<u8>> },
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Rows of a chunk.
    Chunk { feed: usize, id: ChunkId, rows: RecordBatch, high: Place },
    /// Ascending bounds inside the part; with `to_end`, what lies behind the last one is one chunk.
    Bounds { feed: usize, start: Option<Bound>, bounds: Vec<Bound>, to_end: bool },
    /// For every key how many of the bounds it has reached.
    Ranks { ranks: Vec<u32> },
    /// It cannot be done.
    Failed(Error),
}

/// What every connection of a snapshot needs to know.
pub(crate) struct SnapshotContext {
    pub(crate) connect: ConnectOptions,
    pub(crate) max_retries: u32,
    pub(crate) server: Server,
    pub(crate) feeds: Arc<Vec<Feed>>,
    pub(crate) decode: DecodeOptions,
    pub(crate) losses: Losses,
}

/// The running connections.
pub(crate) struct Snapshot {
    /// Chunks to read; holds one more for every worker, so that none waits.
    pub(crate) jobs: mpsc::Sender<ChunkJob>,
    /// Questions for the divider.
    pub(crate) questions: mpsc::Sender<Question>,
    /// What comes back.
    pub(crate) answers: mpsc::Receiver<Answer>,
    /// Chunks that may be registered at a time.
    pub(crate) capacity: usize,
}

impl Snapshot {
    /// Starts the connections. They end when this is dropped.
    pub(crate) fn start(context: SnapshotContext, workers: usize, spawner: &Spawner) -> Self {
        let context = Arc::new(context);
        let capacity = workers * 2;
        let (jobs, job_queue) = mpsc::channel(capacity);
        let (questions, question_queue) = mpsc::channel(4);
        let (answer, answers) = mpsc::channel(capacity + 4);
        let job_queue = Arc::new(Mutex::new(job_queue));
        for number in 0..workers {
            let task = worker::run(Arc::clone(&context), Arc::clone(&job_queue), answer.clone());
            spawner.spawn(format!("mysql-cdc snapshot {number}"), task);
        }
        spawner.spawn("mysql-cdc chunk bounds", divider::run(context, question_queue, answer));
        Self { jobs, questions, answers, capacity }
    }
}

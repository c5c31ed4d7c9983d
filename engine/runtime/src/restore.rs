//! Operators with the state that a checkpoint has of them.
//!
//! State is read from the storage while operators take it in, of several subtasks at a time. That takes
//! its time, and happens on threads that nobody else waits for. Sources and sinks are handed what they
//! stored as a whole: it is small.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use sluice_model::Result;
use sluice_state::TaskState;

use crate::chain::Chain;
use crate::graph::Vertex;
use crate::job::{Job, Subtask};
use crate::operator_state::Share;
use crate::program::Head;
use crate::spill::{Memory, MemoryBudget};
use crate::task::group::panicked;

/// States of a checkpoint by state id.
pub(crate) type States = BTreeMap<String, Vec<TaskState>>;

/// The operators of all subtasks, in their order, with their state.
///
/// # Errors
/// An operator cannot be compiled, or a state cannot be read.
pub(crate) async fn chains(job: &Arc<Job>, states: &Arc<States>) -> Result<Vec<Chain>> {
    // All at once: only then it is known who shares the memory.
    let new = new_chains(job)?;
    let restored = new.into_iter().map(|(mut chain, share)| {
        let states = Arc::clone(states);
        async move {
            if !chain.has_state(&states) {
                return Ok(chain);
            }
            blocking(move || {
                chain.restore(&states, share)?;
                Ok(chain)
            })
            .await
        }
    });
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    stream::iter(restored).buffered(at_once).try_collect().await
}

/// Reads the states of sources and sinks.
///
/// # Errors
/// The storage failed.
pub(crate) async fn load_heads(job: &Arc<Job>, mut states: States) -> Result<States> {
    let program = &job.program;
    let vertices = program.graph.vertices.iter().zip(&program.heads);
    let heads = vertices.filter(|(_, head)| matches!(head, Head::Source(_) | Head::Values(_) | Head::Sink(_)));
    let ids: BTreeSet<String> = heads.map(|(vertex, _)| program.state_id(vertex).to_owned()).collect();
    blocking(move || {
        for state in states.iter_mut().filter(|(id, _)| ids.contains(*id)).flat_map(|(_, states)| states) {
            state.content = state.content.load()?.into();
        }
        Ok(states)
    })
    .await
}

fn new_chains(job: &Arc<Job>) -> Result<Vec<(Chain, Share)>> {
    let (program, config) = (&job.program, &job.config);
    let budget = config.state_memory.map(|limit| Arc::new(MemoryBudget::new(limit, config.spill_dirs.clone())));
    let chain = |vertex: &Vertex, shared: &Subtask| {
        let memory = budget.as_ref().map(|budget| Memory {
            budget: Arc::clone(budget),
            metrics: shared.metrics.group.clone(),
            is_incremental: config.incremental,
        });
        let chain = Chain::new(&program.plan, vertex, Arc::clone(&job.clock), memory.as_ref())?;
        Ok(chain.with_inline_threshold(config.inline_threshold))
    };
    let mut chains = Vec::new();
    for (vertex, subtasks) in program.graph.vertices.iter().zip(&job.subtasks) {
        for (subtask, shared) in subtasks.iter().enumerate() {
            chains.push((chain(vertex, shared)?, Share { subtask, parallelism: vertex.parallelism }));
        }
    }
    Ok(chains)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(panicked(error.into_panic().as_ref())),
    }
}

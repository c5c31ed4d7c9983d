//! The operator of a step: as it is, or within a budget of memory.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use sluice_model::{MetricGroup, Result};
use sluice_operators::Operator;
use sluice_plan::{MiniBatch, Node};

use super::{Account, Blueprint, Means, MemoryBudget, Spilling};

/// The operator of a step.
pub(crate) enum Running {
    /// All of its state is in memory.
    Plain(Box<dyn Operator>),
    /// Its state goes to disk when it is too large.
    Spilling(Box<Spilling>),
}

/// What a task has to know of the memory of its job.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) budget: Arc<MemoryBudget>,
    /// Of the task.
    pub(crate) metrics: MetricGroup,
    /// Checkpoints hold changes.
    pub(crate) is_incremental: bool,
}

impl Running {
    /// The operator of a node, behind its mini-batches if there is no budget, and what it takes of the budget if it does not see to that itself;
    /// `None` for nodes that are no operators.
    ///
    /// # Errors
    /// A bug in the planner: an expression that does not fit its input.
    pub(crate) fn new(
        node: &Node,
        inputs: Vec<SchemaRef>,
        ttl: Vec<Option<Duration>>,
        mini_batch: Option<MiniBatch>,
        memory: Option<&Memory>,
    ) -> Result<Option<(Self, Option<Account>)>> {
        let Some(mut operator) = sluice_operators::operator(node, &inputs)? else { return Ok(None) };
        // Partitions gather rows as well, and put them out in an order of their own: not both at once.
        if let Some(MiniBatch { latency, size }) = mini_batch.filter(|_| memory.is_none()) {
            operator = Box::new(sluice_operators::MiniBatch::new(operator, inputs.len(), latency, size));
        }
        operator.expire_after(&ttl);
        let Some(memory) = memory.filter(|_| !operator.state_tables().is_empty()) else {
            return Ok(Some((Self::Plain(operator), None)));
        };
        let blueprint = Blueprint { node: node.clone(), inputs, ttl };
        let keys = blueprint.keys();
        let (account, directory) = memory.budget.open(keys.is_some(), &memory.metrics);
        let Some(keys) = keys else { return Ok(Some((Self::Plain(operator), Some(account)))) };
        let means =
            Means { account, directory, metrics: memory.metrics.clone(), is_incremental: memory.is_incremental };
        Ok(Some((Self::Spilling(Box::new(Spilling::new(blueprint, keys, means)?)), None)))
    }
}

impl Deref for Running {
    type Target = dyn Operator;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Plain(operator) => operator.as_ref(),
            Self::Spilling(operator) => operator.as_ref(),
        }
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Plain(operator) => operator.as_mut(),
            Self::Spilling(operator) => operator.as_mut(),
        }
    }
}

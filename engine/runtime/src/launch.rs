//! Starts the tasks of an attempt: channels first, then one task per subtask.

use std::collections::VecDeque;
use std::sync::Arc;

use sluice_connector_api::{LookupContext, SinkContext, SinkWriter, SourceContext, SourceReader};
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::{Distribution, NodeId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::alignment::{Groups, Member};
use crate::chain::{Chain, alignment};
use crate::channel::{Receiver, channel};
use crate::coordinator::Commanded;
use crate::exchange::Partitioner;
use crate::gate::Gate;
use crate::graph::{Edge, Vertex};
use crate::job::{Job, TaskStatus};
use crate::output::{Output, Outputs};
use crate::pace::{Meter, Pace};
use crate::program::Head;
use crate::restore::States;
use crate::task::batch::BatchTask;
use crate::task::collect::{self, CollectWriter};
use crate::task::group::TaskGroup;
use crate::task::operators::OperatorTask;
use crate::task::sink::{Reminder, SinkTask};
use crate::task::source::{Phase, SourceTask};
use crate::task::values::ValuesReader;
use crate::task::{TaskEvent, TaskLink};
use crate::tokens::{self, PendingCommits};

/// What the tasks of an attempt are started with.
pub(crate) struct Launch<'a> {
    pub(crate) job: &'a Arc<Job>,
    pub(crate) group: &'a TaskGroup,
    pub(crate) events: mpsc::UnboundedSender<TaskEvent>,
    pub(crate) start: CancellationToken,
    pub(crate) states: &'a States,
    /// Sources wait for the first checkpoint.
    pub(crate) is_new: bool,
    pub(crate) collect: Option<&'a mpsc::Sender<ChangelogBatch>>,
}

/// Ends of channels that have not been handed to a task.
struct Wiring {
    /// By vertex and subtask.
    outputs: Vec<Vec<Vec<Output>>>,
    gates: Vec<Vec<Vec<(usize, Receiver)>>>,
    /// How much is to wait in front of each.
    paces: Vec<Vec<Arc<Pace>>>,
}

impl Launch<'_> {
    /// Starts all tasks, with their operators. They connect, and wait for the start.
    ///
    /// # Errors
    /// A state cannot be read.
    pub(crate) fn launch(&self, chains: Vec<Chain>) -> Result<Commanded> {
        let program = &self.job.program;
        let mut chains = chains.into_iter();
        let mut wiring = self.wire();
        let (mut commanded, mut groups) = (Commanded::default(), Groups::default());
        let mut index = 0;
        for (number, (vertex, head)) in program.graph.vertices.iter().zip(&program.heads).enumerate() {
            for subtask in 0..vertex.parallelism {
                let shared = &self.job.subtasks[number][subtask];
                let link = TaskLink {
                    index,
                    subtask,
                    state_id: program.state_id(vertex).to_owned(),
                    metrics: Arc::clone(&shared.metrics),
                    status: Arc::clone(&shared.status),
                    events: self.events.clone(),
                    start: self.start.clone(),
                    cancel: self.group.cancel_token(),
                };
                link.status.set(TaskStatus::Initializing);
                let outputs = std::mem::take(&mut wiring.outputs[number][subtask]);
                let gate = std::mem::take(&mut wiring.gates[number][subtask]);
                let pace = Arc::clone(&wiring.paces[number][subtask]);
                let meter = Meter::new(pace, gate.len(), self.job.config.channel_time);
                let chain = chains.next().ok_or_else(|| Error::bug("a subtask without operators"))?;
                let task = Task {
                    name: task_name(vertex, subtask),
                    chain,
                    outputs: Outputs::new(outputs, Arc::clone(&shared.metrics)),
                    gate: Gate::new(gate, self.job.config.at_least_once, meter),
                    parallelism: vertex.parallelism,
                    head: vertex.head,
                    feeds_state: program.plan.feeds_state(vertex.head),
                    alignment: alignment(&program.plan, vertex).map(|alignment| groups.join(alignment)),
                    link,
                };
                self.start_task(task, head, &mut commanded)?;
                index += 1;
            }
        }
        Ok(commanded)
    }

    fn wire(&self) -> Wiring {
        let vertices = &self.job.program.graph.vertices;
        let mut wiring = Wiring {
            outputs: vertices.iter().map(|vertex| empty(vertex.parallelism)).collect(),
            gates: vertices.iter().map(|vertex| empty(vertex.parallelism)).collect(),
            paces: vertices.iter().map(|vertex| (0..vertex.parallelism).map(|_| Arc::default()).collect()).collect(),
        };
        for (number, vertex) in vertices.iter().enumerate() {
            for edge in &vertex.outputs {
                for subtask in 0..vertex.parallelism {
                    let output = self.wire_edge(edge, subtask, &mut wiring.gates[edge.to], &wiring.paces[edge.to]);
                    wiring.outputs[number][subtask].push(output);
                }
            }
        }
        wiring
    }

    fn wire_edge(
        &self,
        edge: &Edge,
        subtask: usize,
        gates: &mut [Vec<(usize, Receiver)>],
        paces: &[Arc<Pace>],
    ) -> Output {
        // Every consumer needs barriers, also one that gets no rows.
        let consumers = match edge.distribution {
            Distribution::Forward => subtask..subtask + 1,
            Distribution::Hash(_) | Distribution::Single | Distribution::Rebalance => 0..gates.len(),
        };
        let mut channels = Vec::with_capacity(consumers.len());
        for (gate, pace) in gates[consumers.clone()].iter_mut().zip(&paces[consumers]) {
            let (sender, receiver) = channel(Arc::clone(pace), self.job.metrics.channel_bytes.clone());
            channels.push(sender);
            gate.push((edge.input, receiver));
        }
        Output { partitioner: Partitioner::new(&edge.distribution, subtask, channels.len()), channels }
    }

    fn start_task(&self, task: Task, head: &Head, commanded: &mut Commanded) -> Result<()> {
        let (command, commands) = mpsc::unbounded_channel();
        let (name, link) = (task.name.clone(), task.link.clone());
        match head {
            Head::Source(_) | Head::Values(_) => {
                commanded.sources.push(command);
                let (head, context) = (head.clone(), self.source_context(&task)?);
                let phase = if self.is_new { Phase::New } else { Phase::Reading };
                self.spawn(name, link, async move {
                    let reader = open_reader(head, context).await?;
                    let Task { chain, outputs, link, alignment, .. } = task;
                    link.opened().await;
                    let (positions, is_held) = (VecDeque::new(), false);
                    let task =
                        SourceTask { reader, chain, outputs, commands, link, positions, phase, alignment, is_held };
                    task.run().await
                });
            }
            Head::Operators => self.spawn(name, link, async move {
                let Task { gate, chain, outputs, link, .. } = task;
                link.opened().await;
                OperatorTask { gate, lookup: None, chain, outputs, link }.run().await
            }),
            Head::Batch(query) => {
                let (query, plan) = (Arc::clone(query), &self.job.program.plan);
                let node = plan.node(task.head);
                let inputs = BatchTask::tables(node.inputs.iter().map(|input| plan.schema(input)));
                let output = node.outputs.first().ok_or_else(|| Error::bug("a query without a result"))?;
                let output = Arc::clone(&output.schema);
                self.spawn(name, link, async move {
                    let Task { gate, chain, outputs, link, .. } = task;
                    link.opened().await;
                    BatchTask { query, inputs, output, gate, chain, outputs, link }.run().await
                });
            }
            Head::Lookup(lookup) => {
                let (lookup, context) = (lookup.clone(), self.lookup_context(&task));
                self.spawn(name, link, async move {
                    let lookup = Some(lookup.open(context).await?);
                    let Task { gate, chain, outputs, link, .. } = task;
                    link.opened().await;
                    OperatorTask { gate, lookup, chain, outputs, link }.run().await
                });
            }
            Head::Sink(_) | Head::Collect => {
                commanded.sinks.push(command);
                let (head, context) = (head.clone(), self.sink_context(&task)?);
                let collect = self.collect.cloned();
                if let Some(rows) = collect.clone().filter(|_| matches!(head, Head::Collect)) {
                    self.group.spawn(format!("{name}: watch"), collect::watch(rows, self.events.clone()));
                }
                self.spawn(name, link, async move {
                    let writer = open_writer(head, context, collect).await?;
                    let Task { gate, link, .. } = task;
                    link.opened().await;
                    let (pending, reminder) = (PendingCommits::default(), Reminder::default());
                    SinkTask { writer, gate, commands, link, pending, reminder }.run().await
                });
            }
        }
        Ok(())
    }

    fn spawn(&self, name: String, link: TaskLink, run: impl Future<Output = Result<()>> + Send + 'static) {
        self.group.spawn(name, async move {
            run.await?;
            link.status.set(TaskStatus::Finished);
            link.metrics.clock.enter(crate::metrics::Activity::Stopped);
            link.events.send(TaskEvent::Done).ok();
            Ok(())
        });
    }

    fn source_context(&self, task: &Task) -> Result<SourceContext> {
        let states = self.states.get(&task.link.state_id);
        Ok(SourceContext {
            feeds_state: task.feeds_state,
            subtask: task.link.subtask,
            parallelism: task.parallelism,
            restored: states.into_iter().flatten().map(|state| state.content.load()).collect::<Result<_>>()?,
            metrics: task.link.metrics.group.clone(),
            spawner: self.group.spawner(task.name.clone()),
            clock: Arc::clone(&self.job.clock),
        })
    }

    fn lookup_context(&self, task: &Task) -> LookupContext {
        LookupContext {
            metrics: task.link.metrics.group.clone(),
            spawner: self.group.spawner(task.name.clone()),
            clock: Arc::clone(&self.job.clock),
        }
    }

    fn sink_context(&self, task: &Task) -> Result<SinkContext> {
        let mut restored = Vec::new();
        // One writer commits for all, so that none is forgotten whatever the parallelism was.
        if task.link.subtask == 0 {
            for state in self.states.get(&task.link.state_id).into_iter().flatten() {
                restored.extend(tokens::decode(&state.content.load()?)?);
            }
        }
        Ok(SinkContext {
            subtask: task.link.subtask,
            parallelism: task.parallelism,
            restored,
            metrics: task.link.metrics.group.clone(),
            spawner: self.group.spawner(task.name.clone()),
            clock: Arc::clone(&self.job.clock),
        })
    }
}

/// A subtask that is about to start.
struct Task {
    name: String,
    chain: Chain,
    outputs: Outputs,
    gate: Gate,
    parallelism: usize,
    /// The node that drives it.
    head: NodeId,
    /// Operators behind it keep state.
    feeds_state: bool,
    /// The sources that it waits for, if it is one and there are any.
    alignment: Option<Member>,
    link: TaskLink,
}

async fn open_reader(head: Head, context: SourceContext) -> Result<Box<dyn SourceReader>> {
    match head {
        Head::Source(source) => source.open(context).await,
        Head::Values(rows) => Ok(Box::new(ValuesReader::new(&rows, context.subtask, &context.restored))),
        _ => Err(Error::bug("a source without a reader")),
    }
}

async fn open_writer(
    head: Head,
    context: SinkContext,
    collect: Option<mpsc::Sender<ChangelogBatch>>,
) -> Result<Box<dyn SinkWriter>> {
    match (head, collect) {
        (Head::Sink(sink), _) => sink.open(context).await,
        (Head::Collect, Some(rows)) => Ok(Box::new(CollectWriter { rows })),
        _ => Err(Error::bug("a sink without a writer")),
    }
}

/// Flink's form: `Sink: kafka (2/4)`.
pub(crate) fn task_name(vertex: &Vertex, subtask: usize) -> String {
    format!("{} ({}/{})", vertex.name, subtask + 1, vertex.parallelism)
}

fn empty<T>(parallelism: usize) -> Vec<Vec<T>> {
    (0..parallelism).map(|_| Vec::new()).collect()
}

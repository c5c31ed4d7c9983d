//! From plan to tasks: which nodes run in one task, and which channels join the tasks.
//!
//! A node is fused into the task of its producer when every row stays in its subtask, so that a
//! chain of operators costs no channel. Sinks have a task of their own: reading and writing overlap. So do
//! lookup joins, which wait for other systems: a batch is made while the one before is looked up.
//!
//! ```text
//! plan                                   vertices
//! [0] Source: sales                      0  Source: sales -> Calc   ─┬─ forward ─► 1  Sink: kafka
//! [1] └─ Calc                                                        └─ hash ────► 2  Sink: warehouse (2 subtasks)
//! [2]    ├─ Sink: kafka
//! [3]    └─ Sink: warehouse  hash(id)
//! ```

use sluice_model::{Error, Result};
use sluice_plan::{Distribution, Input, NodeId, Operation, StreamPlan};

use crate::hash::hash_bytes;

/// All tasks of a job. Vertices come before their consumers.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) vertices: Vec<Vertex>,
}

/// Nodes that run together in one task per subtask.
#[derive(Debug)]
pub(crate) struct Vertex {
    /// 32 hexadecimal digits from the state id of the first node: the same in every run.
    pub(crate) id: String,
    /// Labels of its nodes.
    pub(crate) name: String,
    pub(crate) parallelism: usize,
    /// The node that drives the task.
    pub(crate) head: NodeId,
    pub(crate) role: Role,
    /// Where batches go from the head, by output port (source) or input (gate; of a lookup when joined).
    pub(crate) entries: Vec<Vec<Target>>,
    /// Fused operators, producers before consumers.
    pub(crate) steps: Vec<Step>,
    /// Edges to other vertices.
    pub(crate) outputs: Vec<Edge>,
    /// Edges from other vertices: vertex and its output.
    pub(crate) inputs: Vec<(usize, usize)>,
}

/// What drives a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A reader.
    Source,
    /// A gate, in front of operators.
    Operators,
    /// A gate, in front of a query over rows that end.
    Batch,
    /// A gate, in front of a writer.
    Sink,
}

/// An operator in a chain.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) node: NodeId,
    pub(crate) targets: Vec<Target>,
}

/// Where a batch goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// To an operator of the same chain.
    Step { step: usize, input: usize },
    /// To another vertex, by output.
    Output(usize),
}

/// A connection between two vertices.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Consuming vertex.
    pub(crate) to: usize,
    /// Input of the consumer.
    pub(crate) input: usize,
    pub(crate) distribution: Distribution,
}

/// Where the rows of a node come from inside its vertex.
#[derive(Debug, Clone, Copy)]
enum Place {
    Head { vertex: usize },
    Step { vertex: usize, step: usize },
}

impl Place {
    fn vertex(self) -> usize {
        match self {
            Self::Head { vertex } | Self::Step { vertex, .. } => vertex,
        }
    }
}

impl Graph {
    /// The tasks of a plan.
    ///
    /// # Errors
    /// A plan that cannot run: a defect of the planner.
    pub(crate) fn build(plan: &StreamPlan) -> Result<Self> {
        let mut builder = Builder { plan, graph: Self::default(), places: Vec::new() };
        for (index, node) in plan.nodes().iter().enumerate() {
            if node.parallelism == 0 {
                return Err(Error::bug(format!("node '{}' has no subtask", node.state_id)));
            }
            let place = builder.place(NodeId(index))?;
            builder.places.push(place);
        }
        Ok(builder.graph)
    }

    /// Number of subtasks of all vertices.
    pub(crate) fn subtasks(&self) -> usize {
        self.vertices.iter().map(|vertex| vertex.parallelism).sum()
    }
}

struct Builder<'a> {
    plan: &'a StreamPlan,
    graph: Graph,
    places: Vec<Place>,
}

impl Builder<'_> {
    fn place(&mut self, id: NodeId) -> Result<Place> {
        let node = self.plan.node(id);
        match &node.operation {
            Operation::Source(source) => Ok(self.add_vertex(id, Role::Source, source.tables.len())),
            Operation::Values(_) => Ok(self.add_vertex(id, Role::Source, 1)),
            Operation::Batch(_) => {
                let place = self.add_vertex(id, Role::Batch, 1);
                self.connect_inputs(id, place.vertex())?;
                Ok(place)
            }
            Operation::LookupJoin(_) => {
                let place = self.add_vertex(id, Role::Operators, node.inputs.len());
                self.connect_inputs(id, place.vertex())?;
                Ok(place)
            }
            Operation::Sink(_) => {
                let place = self.add_vertex(id, Role::Sink, node.inputs.len());
                self.connect_inputs(id, place.vertex())?;
                Ok(place)
            }
            _ => match self.common_producer(id)? {
                Some(vertex) => Ok(self.fuse(id, vertex)),
                None => {
                    let vertex = self.add_vertex(id, Role::Operators, node.inputs.len()).vertex();
                    self.connect_inputs(id, vertex)?;
                    self.graph.vertices[vertex].steps.push(Step { node: id, targets: Vec::new() });
                    for (input, entry) in self.graph.vertices[vertex].entries.iter_mut().enumerate() {
                        entry.push(Target::Step { step: 0, input });
                    }
                    Ok(Place::Step { vertex, step: 0 })
                }
            },
        }
    }

    fn add_vertex(&mut self, head: NodeId, role: Role, entries: usize) -> Place {
        let node = self.plan.node(head);
        self.graph.vertices.push(Vertex {
            id: vertex_id(&node.state_id),
            name: node.operation.label(),
            parallelism: node.parallelism,
            head,
            role,
            entries: vec![Vec::new(); entries],
            steps: Vec::new(),
            outputs: Vec::new(),
            inputs: Vec::new(),
        });
        Place::Head { vertex: self.graph.vertices.len() - 1 }
    }

    /// The vertex that all inputs come from without leaving their subtask, if there is one.
    fn common_producer(&self, id: NodeId) -> Result<Option<usize>> {
        let mut common = None;
        for input in &self.plan.node(id).inputs {
            let vertex = self.places[input.node.0].vertex();
            let is_local = self.distribution(input, id)? == Distribution::Forward;
            if !is_local || common.is_some_and(|common| common != vertex) {
                return Ok(None);
            }
            common = Some(vertex);
        }
        Ok(common)
    }

    fn fuse(&mut self, id: NodeId, vertex: usize) -> Place {
        let node = self.plan.node(id);
        let step = self.graph.vertices[vertex].steps.len();
        for (input, from) in node.inputs.iter().enumerate() {
            self.targets_of(from).push(Target::Step { step, input });
        }
        let vertex_mut = &mut self.graph.vertices[vertex];
        vertex_mut.steps.push(Step { node: id, targets: Vec::new() });
        vertex_mut.name = format!("{} -> {}", vertex_mut.name, node.operation.label());
        Place::Step { vertex, step }
    }

    fn connect_inputs(&mut self, id: NodeId, to: usize) -> Result<()> {
        for (input, from) in self.plan.node(id).inputs.iter().enumerate() {
            let distribution = self.distribution(from, id)?;
            let producer = self.places[from.node.0].vertex();
            let output = self.graph.vertices[producer].outputs.len();
            self.graph.vertices[producer].outputs.push(Edge { to, input, distribution });
            self.targets_of(from).push(Target::Output(output));
            self.graph.vertices[to].inputs.push((producer, output));
        }
        Ok(())
    }

    fn targets_of(&mut self, from: &Input) -> &mut Vec<Target> {
        match self.places[from.node.0] {
            Place::Head { vertex } => &mut self.graph.vertices[vertex].entries[from.port],
            Place::Step { vertex, step } => &mut self.graph.vertices[vertex].steps[step].targets,
        }
    }

    /// The distribution of an input; between single subtasks every one is a forward.
    fn distribution(&self, input: &Input, consumer: NodeId) -> Result<Distribution> {
        let (from, to) = (self.plan.node(input.node).parallelism, self.plan.node(consumer).parallelism);
        if from == 1 && to == 1 {
            return Ok(Distribution::Forward);
        }
        if input.distribution == Distribution::Forward && from != to {
            let id = &self.plan.node(consumer).state_id;
            return Err(Error::bug(format!("'{id}' has {to} subtasks, but its input has {from} and is forwarded")));
        }
        Ok(input.distribution.clone())
    }
}

/// Two hashes of the state id, in the form of Flink's vertex ids.
fn vertex_id(state_id: &str) -> String {
    let salted = format!("vertex:{state_id}");
    format!("{:016x}{:016x}", hash_bytes(state_id.as_bytes()), hash_bytes(salted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PlanBuilder, describe};

    #[test]
    fn operators_are_fused_and_sinks_are_not() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        let calc = plan.identity(source, "calc", Distribution::Forward, 1);
        plan.sink(calc, "kafka", Distribution::Forward, 1);
        plan.sink(calc, "warehouse", Distribution::Hash(vec![0]), 2);
        assert_eq!(
            describe(&Graph::build(&plan.build()).unwrap()),
            "0 source x1 [0] => 1/0 Forward, 2/0 Hash([0])\n1 sink x1\n2 sink x2\n"
        );
    }

    #[test]
    fn an_exchange_begins_a_new_task_unless_there_is_nothing_to_deal() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 2);
        let calc = plan.identity(source, "calc", Distribution::Hash(vec![0]), 2);
        plan.sink(calc, "kafka", Distribution::Forward, 2);
        assert_eq!(
            describe(&Graph::build(&plan.build()).unwrap()),
            "0 source x2 [] => 1/0 Hash([0])\n1 operators x2 [0] => 2/0 Forward\n2 sink x2\n"
        );
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        let calc = plan.identity(source, "calc", Distribution::Hash(vec![0]), 1);
        plan.sink(calc, "kafka", Distribution::Single, 1);
        assert_eq!(describe(&Graph::build(&plan.build()).unwrap()), "0 source x1 [0] => 1/0 Forward\n1 sink x1\n");
    }

    #[test]
    fn a_union_of_one_task_stays_in_it_and_one_of_two_has_a_gate() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        let (left, right) = (
            plan.identity(source, "left", Distribution::Forward, 1),
            plan.identity(source, "right", Distribution::Forward, 1),
        );
        let union = plan.union(&[left, right], "union", 1);
        plan.sink(union, "kafka", Distribution::Forward, 1);
        assert_eq!(
            describe(&Graph::build(&plan.build()).unwrap()),
            "0 source x1 [0, 1, 2] => 1/0 Forward\n1 sink x1\n"
        );
        let mut plan = PlanBuilder::default();
        let (left, right) = (plan.source("left", 1), plan.source("right", 1));
        let union = plan.union(&[left, right], "union", 1);
        plan.sink(union, "kafka", Distribution::Forward, 1);
        assert_eq!(
            describe(&Graph::build(&plan.build()).unwrap()),
            "0 source x1 [] => 2/0 Forward\n1 source x1 [] => 2/1 Forward\n\
             2 operators x1 [0] => 3/0 Forward\n3 sink x1\n"
        );
    }

    #[test]
    fn a_lookup_begins_a_task_and_operators_follow_in_it() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        let before = plan.identity(source, "before", Distribution::Forward, 1);
        let lookup = plan.lookup(before, "customers");
        let behind = plan.identity(lookup, "behind", Distribution::Forward, 1);
        plan.sink(behind, "kafka", Distribution::Forward, 1);
        assert_eq!(
            describe(&Graph::build(&plan.build()).unwrap()),
            "0 source x1 [0] => 1/0 Forward\n1 operators x1 [0] => 2/0 Forward\n2 sink x1\n"
        );
    }

    #[test]
    fn a_forward_between_different_numbers_of_subtasks_is_refused() {
        let mut plan = PlanBuilder::default();
        let source = plan.source("sales", 1);
        plan.sink(source, "kafka", Distribution::Forward, 2);
        let error = Graph::build(&plan.build()).unwrap_err();
        assert_eq!(error.what(), "'kafka' has 2 subtasks, but its input has 1 and is forwarded");
    }
}

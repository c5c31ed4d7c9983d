//! The text of `EXPLAIN`: one tree per sink, in the form of Flink's physical plan.
//!
//! ```text
//! Sink(table=[kafka], fields=[id, name], changelogMode=[NONE])
//! +- Exchange(distribution=[hash[id]], changelogMode=[I,UA,D])
//!    +- Source: sales(fields=[id, name], changelogMode=[I,UA,D], upsertKeys=[(id)])
//! ```
//!
//! A node that feeds several consumers is printed under its first one and referred to by the rest.

mod advice;
mod cost;
mod json;

use std::fmt::Write;
use std::time::Duration;

use self::cost::Cost;
use crate::{Distribution, Input, NodeId, Operation, StreamPlan};

/// What is shown besides the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExplainDetails {
    /// Which row kinds each node puts out.
    pub changelog_mode: bool,
    /// How many rows each node handles, by rules of thumb.
    pub estimated_cost: bool,
    /// What could be better.
    pub advice: bool,
    /// The plan once more, as JSON.
    pub json: bool,
}

pub(crate) fn explain(plan: &StreamPlan, details: ExplainDetails) -> String {
    let changelog_mode = details.changelog_mode;
    let costs = if details.estimated_cost { Cost::of_plan(plan) } else { Vec::new() };
    let printed = vec![false; plan.nodes().len()];
    let mut printer = Printer { plan, changelog_mode, costs, printed, text: String::new() };
    for (index, node) in plan.nodes().iter().enumerate() {
        if matches!(node.operation, Operation::Sink(_)) {
            printer.sink(NodeId(index));
        }
    }
    let mut text = printer.text;
    if details.advice {
        text.push_str(&advice_text(plan));
    }
    if details.json {
        let _ = writeln!(text, "\n== Physical Execution Plan ==\n{}", json::json(plan));
    }
    text
}

fn advice_text(plan: &StreamPlan) -> String {
    let advice = advice::advice(plan);
    if advice.is_empty() {
        return "\nNo available advice...\n".to_owned();
    }
    let mut text = String::new();
    for (number, advice) in advice.iter().enumerate() {
        let _ = write!(text, "\nadvice[{}]: {advice}", number + 1);
    }
    text.push('\n');
    text
}

struct Printer<'a> {
    plan: &'a StreamPlan,
    changelog_mode: bool,
    /// By node; empty if they are not shown.
    costs: Vec<Cost>,
    printed: Vec<bool>,
    text: String,
}

impl Printer<'_> {
    fn sink(&mut self, id: NodeId) {
        let node = self.plan.node(id);
        let fields = node.inputs.first().map(|input| self.field_names(input)).unwrap_or_default();
        let mode = if self.changelog_mode { ", changelogMode=[NONE]" } else { "" };
        let parallelism = self.parallelism(id);
        self.line(0, &format!("{}(fields=[{fields}]{mode}{parallelism}){}", node.operation.label(), self.cost(id)));
        for input in &node.inputs {
            self.input(input, 1);
        }
    }

    fn input(&mut self, input: &Input, depth: usize) {
        let mut depth = depth;
        if let Some(distribution) = self.distribution(input) {
            let mode = self.mode(input);
            self.line(depth, &format!("Exchange(distribution=[{distribution}]{mode})"));
            depth += 1;
        }
        let node = self.plan.node(input.node);
        let label = node.operation.label();
        if self.printed[input.node.0] {
            self.line(depth, &format!("{label} [as above]"));
            return;
        }
        self.printed[input.node.0] = true;
        let details = self.details(input);
        self.line(depth, &format!("{label}({details}){}", self.cost(input.node)));
        for input in &node.inputs {
            self.input(input, depth + 1);
        }
    }

    fn details(&self, input: &Input) -> String {
        let mut details = format!("fields=[{}]", self.field_names(input));
        details.push_str(&self.mode(input));
        let output = self.plan.output(input);
        if self.changelog_mode && !output.keys.is_empty() {
            let keys: Vec<_> = output.keys.iter().map(|key| format!("({})", self.names(input, key))).collect();
            let _ = write!(details, ", upsertKeys=[{}]", keys.join(", "));
        }
        details.push_str(&self.state_ttl(input.node));
        details.push_str(&self.parallelism(input.node));
        details
    }

    /// How long rows are kept, by input, if not for ever.
    fn state_ttl(&self, id: NodeId) -> String {
        let ttls = self.plan.state_ttl(id);
        if !self.plan.node(id).operation.expires() || ttls.iter().all(Option::is_none) {
            return String::new();
        }
        let text = |ttl: &Option<Duration>| ttl.map_or_else(|| "never".to_owned(), |ttl| format!("{ttl:?}"));
        format!(", stateTtl=[{}]", ttls.iter().map(text).collect::<Vec<_>>().join(", "))
    }

    fn mode(&self, input: &Input) -> String {
        if self.changelog_mode {
            format!(", changelogMode=[{}]", self.plan.output(input).changelog)
        } else {
            String::new()
        }
    }

    fn cost(&self, id: NodeId) -> String {
        self.costs.get(id.0).map(|cost| format!(": {}", cost.text())).unwrap_or_default()
    }

    fn parallelism(&self, id: NodeId) -> String {
        match self.plan.node(id).parallelism {
            1 => String::new(),
            parallelism => format!(", parallelism=[{parallelism}]"),
        }
    }

    fn distribution(&self, input: &Input) -> Option<String> {
        match &input.distribution {
            Distribution::Forward => None,
            Distribution::Hash(columns) => Some(format!("hash[{}]", self.names(input, columns))),
            Distribution::Single => Some("single".to_owned()),
            Distribution::Rebalance => Some("rebalance".to_owned()),
        }
    }

    fn field_names(&self, input: &Input) -> String {
        let schema = &self.plan.output(input).schema;
        schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
    }

    fn names(&self, input: &Input, columns: &[usize]) -> String {
        let schema = &self.plan.output(input).schema;
        columns.iter().map(|column| schema.field(*column).name().as_str()).collect::<Vec<_>>().join(", ")
    }

    fn line(&mut self, depth: usize, text: &str) {
        if depth > 0 {
            let _ = write!(self.text, "{}+- ", "   ".repeat(depth - 1));
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}

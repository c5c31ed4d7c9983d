//! Changelogs through the operator.

mod functions;
mod oracle;
mod restore;
mod rows;
mod speed;
mod windows;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Result, from_pretty, to_pretty};
use sluice_plan::AggregateCall;

use super::GroupAggregate;
use crate::Operator;

/// An operator that groups by the first columns of its input.
#[derive(Clone)]
struct Case {
    input: &'static str,
    groups: usize,
    calls: Vec<AggregateCall>,
    retracts: bool,
    update_before: bool,
}

/// `function(arguments)` with a result of this type.
fn call(function: &str, arguments: &[usize], result: &str) -> AggregateCall {
    let data_type = match result.strip_prefix("ARRAY ") {
        Some(element) => {
            DataType::new_list(from_pretty(&format!("x {element}"), "").schema().field(0).data_type().clone(), true)
        }
        None => from_pretty(&format!("x {result}"), "").schema().field(0).data_type().clone(),
    };
    AggregateCall {
        function: function.to_owned(),
        arguments: arguments.to_vec(),
        literals: Vec::new(),
        distinct: false,
        filter: None,
        result: Arc::new(Field::new("result", data_type, true)),
    }
}

fn distinct(call: AggregateCall) -> AggregateCall {
    AggregateCall { distinct: true, ..call }
}

fn filtered(call: AggregateCall, filter: usize) -> AggregateCall {
    AggregateCall { filter: Some(filter), ..call }
}

fn literal(call: AggregateCall, literal: &str) -> AggregateCall {
    AggregateCall { literals: vec![literal.to_owned()], ..call }
}

impl Case {
    /// Groups by the first column, with `-U`, and rows may be taken back.
    fn new(input: &'static str, calls: Vec<AggregateCall>) -> Self {
        Self { input, groups: 1, calls, retracts: true, update_before: true }
    }

    fn append(self) -> Self {
        Self { retracts: false, ..self }
    }

    fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    fn output(&self) -> SchemaRef {
        let input = from_pretty(self.input, "").schema();
        let group = input.fields().iter().take(self.groups).cloned();
        Arc::new(Schema::new(group.chain(self.calls.iter().map(|call| call.result.clone())).collect::<Vec<_>>()))
    }

    fn try_operator(&self) -> Result<GroupAggregate> {
        let node = sluice_plan::GroupAggregate {
            group: (0..self.groups).collect(),
            calls: self.calls.clone(),
            retracts: self.retracts,
            update_before: self.update_before,
            window_end: None,
            row_count: None,
        };
        GroupAggregate::new(&node, &from_pretty(self.input, "").schema(), &self.output())
    }

    fn operator(&self) -> GroupAggregate {
        self.try_operator().unwrap()
    }

    fn batch(&self, rows: &str) -> ChangelogBatch {
        from_pretty(self.input, rows)
    }

    /// What each batch makes it put out.
    #[track_caller]
    fn check(&self, batches: &[(&str, &str)]) {
        let mut operator = self.operator();
        for (rows, expected) in batches {
            assert_eq!(put(&mut operator, self.batch(rows)).unwrap(), *expected, "after {rows}");
        }
    }
}

/// Gives an operator a batch; what it puts out.
fn put(operator: &mut GroupAggregate, batch: ChangelogBatch) -> Result<String> {
    let mut texts = Vec::new();
    operator.on_batch(0, batch, &mut |batch| {
        texts.push(to_pretty(&batch));
        Ok(())
    })?;
    Ok(texts.join(" | "))
}

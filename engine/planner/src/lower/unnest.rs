//! `UNNEST`.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_expr::LogicalPlan;
use sluice_functions::UnnestNode;
use sluice_model::Result;
use sluice_plan::{Input, Operation, Output, Unnest};

use super::columns::Columns;
use super::keys::project_keys;
use super::nodes::Nodes;

impl Nodes {
    /// A row for each value; what identifies a row identifies it together with the place of the value.
    pub(super) fn unnest(&mut self, node: &UnnestNode, query: &LogicalPlan) -> Result<Input> {
        let from = self.lower(&node.input)?;
        let source = self.plan().output(&from).clone();
        let mut columns = Columns::all(&node.input, source.clone())?;
        let value = columns.place(&node.value)?;
        let input = columns.add(self, from, query)?;
        let kept = node.kept();
        let fields = query.schema().fields();
        let names =
            kept.iter().zip(fields).map(|(column, field)| source.schema.field(*column).clone().with_name(field.name()));
        let values = fields.iter().skip(kept.len()).map(|field| field.as_ref().clone());
        let schema = Arc::new(Schema::new(names.chain(values).collect::<Vec<_>>()));
        let passed: Vec<_> = kept.iter().copied().map(Some).collect();
        let mut keys = project_keys(&source.keys, &passed);
        keys.retain(|_| node.unnesting.ordinality);
        keys.iter_mut().for_each(|key| key.push(schema.fields().len() - 1));
        let window = self.window_of(&input).and_then(|window| window.projected(&passed));
        let operation = Operation::Unnest(Unnest {
            kept: kept.to_vec(),
            value,
            ordinality: node.unnesting.ordinality,
            outer: node.unnesting.outer,
        });
        let output = Output { schema, changelog: source.changelog, keys };
        let id = self.state_id("unnest", query);
        let parallelism = self.plan().node(input.node).parallelism;
        let unnested = self.add(operation, vec![input], output, parallelism, id)?;
        self.set_window(&unnested, window);
        Ok(unnested)
    }
}

//! The inner nodes: each part of a query, made once.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::{EmptyRelation, Expr, LogicalPlan, SubqueryAlias, TableScan, Union, Values};
use sluice_model::{ChangelogMode, Error, Result, RowKind};
use sluice_plan::{Calc, Distribution, Input, Node, NodeId, Operation, Output, StreamPlan};

use super::keys::{passed_column, project_keys};
use super::needs::Needs;
use super::rank::top_n_of;
use super::scans::{Ports, base_table, is_on_key};
use super::state_ttl::{hinted_ttl, without_ttl};
use super::time::Windows;
use crate::bind::{WINDOW, from_datafusion};
use crate::subqueries::is_subquery;
use crate::{ObjectPath, PlannerSettings};

/// A stream plan that grows, and what has been made already.
pub(super) struct Nodes {
    plan: StreamPlan,
    ports: Ports,
    /// By what queries share, and whether the old content of updated rows is wanted.
    made: HashMap<(LogicalPlan, bool), Input>,
    needs: Needs,
    pub(super) windows: Windows,
    pub(super) settings: PlannerSettings,
    /// `scan.watermark.alignment.group` of the sources that have one.
    pub(super) alignment_groups: HashMap<NodeId, String>,
    /// All rows are there before a result is.
    pub(super) is_batch: bool,
}

impl Nodes {
    pub(super) fn new(plan: StreamPlan, ports: Ports, needs: Needs, settings: &PlannerSettings) -> Self {
        let (made, windows) = (HashMap::new(), Windows::new());
        let (settings, alignment_groups) = (settings.clone(), HashMap::new());
        Self { plan, ports, made, needs, windows, settings, alignment_groups, is_batch: false }
    }

    pub(super) fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Subtasks of operators that rows are dealt to by key.
    pub(super) fn parallelism(&self) -> usize {
        self.settings.parallelism.max(1)
    }

    /// An input dealt by the key of an operator, and the operator's parallelism. Without a key
    /// everything goes to one subtask.
    pub(super) fn dealt_by(&self, mut input: Input, key: &[usize]) -> (Input, usize) {
        let upstream = self.plan.node(input.node).parallelism;
        let parallelism = if key.is_empty() { 1 } else { self.parallelism() };
        input.distribution = match parallelism {
            1 if upstream == 1 => Distribution::Forward,
            1 => Distribution::Single,
            _ => Distribution::Hash(key.to_vec()),
        };
        (input, parallelism)
    }

    pub(super) fn into_plan(self) -> StreamPlan {
        self.plan
    }

    pub(super) fn plan(&self) -> &StreamPlan {
        &self.plan
    }

    /// Makes the nodes of a query, and returns where its rows come out.
    pub(super) fn lower(&mut self, query: &LogicalPlan) -> Result<Input> {
        let key = (shared(query), self.needs.update_before(query));
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let input = match (top_n_of(query), query) {
            (Some((top, None)), _) => self.top_n(&top, query)?,
            (Some((top, Some(projection))), _) => {
                let from = self.top_n(&top, &projection.input)?;
                self.project(from, &projection.input, None, &projection.expr, query)?
            }
            (None, query) => self.lower_plain(query)?,
        };
        self.made.insert(key, input.clone());
        Ok(input)
    }

    /// Takes what has been made for a part of a query by other means.
    pub(super) fn remember(&mut self, query: &LogicalPlan, made: Input) {
        self.made.insert((shared(query), self.needs.update_before(query)), made);
    }

    fn lower_plain(&mut self, query: &LogicalPlan) -> Result<Input> {
        Ok(match query {
            LogicalPlan::TableScan(scan) => self.scan(scan)?,
            LogicalPlan::SubqueryAlias(alias) => self.lower(&alias.input)?,
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Filter(filter) => {
                    self.calc(&filter.input, Some(&filter.predicate), &projection.expr, query)?
                }
                input => self.calc(input, None, &projection.expr, query)?,
            },
            LogicalPlan::Filter(filter) => {
                let all: Vec<_> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
                self.calc(&filter.input, Some(&filter.predicate), &all, query)?
            }
            LogicalPlan::Union(union) => self.union(union, query)?,
            LogicalPlan::Values(values) => self.values(values, query)?,
            LogicalPlan::EmptyRelation(empty) => self.constant(empty, query)?,
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, query)?,
            LogicalPlan::Join(join) => self.join(join, query)?,
            LogicalPlan::Limit(limit) => self.limit(limit, query)?,
            LogicalPlan::Sort(sort) => self.temporal_sort(sort, query)?,
            LogicalPlan::Window(window) => self.over(window, query)?,
            LogicalPlan::Extension(extension) => self.extension(extension, query)?,
            other => return Err(not_yet(other)),
        })
    }

    /// Adds a node with one output, in `parallelism` subtasks.
    pub(super) fn add(
        &mut self,
        operation: Operation,
        inputs: Vec<Input>,
        output: Output,
        parallelism: usize,
        state_id: String,
    ) -> Result<Input> {
        // Expressions further up go by name, and groups, for one, may be columns of the same name of two tables.
        let fields = output.schema.fields().iter().map(|field| field.as_ref().clone());
        let output = Output { schema: Arc::new(Schema::new(with_different_names(fields))), ..output };
        let node = self.plan.add(Node { operation, inputs, outputs: vec![output], parallelism, state_id })?;
        Ok(Input { node, port: 0, distribution: Distribution::Forward })
    }

    /// Lets an operator forget what it has of an input when the hint for the input says so.
    pub(super) fn set_state_ttl(&mut self, operator: &Input, input: usize, plan: &LogicalPlan) {
        if let Some(ttl) = hinted_ttl(plan) {
            self.plan.set_state_ttl_of(operator.node, input, ttl);
        }
    }

    /// Adds a node as it is.
    pub(super) fn add_node(&mut self, node: Node) -> Result<()> {
        self.plan.add(node).map(|_| ())
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Input> {
        let path: &ObjectPath = &base_table(scan)?.table.path;
        let port = self.ports.get(path).cloned().ok_or_else(|| Error::bug(format!("table '{path}' has no source")))?;
        let source = self.plan.output(&port).clone();
        let wanted = scan.projected_schema.fields();
        let columns = wanted
            .iter()
            .map(|field| source.schema.index_of(field.name()).map_err(Error::from_arrow))
            .collect::<Result<Vec<_>>>()?;
        let is_all = columns.len() == source.schema.fields().len() && columns.is_sorted();
        if is_all {
            return Ok(port);
        }
        let expressions = wanted.iter().map(|field| Expr::Column(Column::new_unqualified(field.name()))).collect();
        let passed: Vec<_> = columns.iter().copied().map(Some).collect();
        let output = Output {
            schema: Arc::new(source.schema.project(&columns).map_err(Error::from_arrow)?),
            changelog: source.changelog,
            keys: project_keys(&source.keys, &passed),
        };
        let id = self.state_id("calc", &LogicalPlan::TableScan(scan.clone()));
        let parallelism = self.plan.node(port.node).parallelism;
        self.add(Operation::Calc(Calc { filter: None, projection: expressions }), vec![port], output, parallelism, id)
    }

    fn calc(
        &mut self,
        input: &LogicalPlan,
        filter: Option<&Expr>,
        expressions: &[Expr],
        query: &LogicalPlan,
    ) -> Result<Input> {
        let from = self.lower(input)?;
        self.project(from, input, filter, expressions, query)
    }

    pub(super) fn project(
        &mut self,
        from: Input,
        input: &LogicalPlan,
        filter: Option<&Expr>,
        expressions: &[Expr],
        query: &LogicalPlan,
    ) -> Result<Input> {
        let source = self.plan.output(&from).clone();
        let schema = input.schema();
        for expression in expressions.iter().chain(filter) {
            check_subqueries(expression)?;
        }
        if let Some(filter) = filter {
            check_filter(filter, input, source.changelog)?;
        }
        let passed: Vec<_> = expressions
            .iter()
            .map(|expression| passed_column(expression).and_then(|column| schema.maybe_index_of_column(column)))
            .collect();
        let filter = filter.map(|filter| unqualified(filter, schema, &source.schema)).transpose()?;
        let projection = expressions
            .iter()
            .map(|expression| unqualified(expression, schema, &source.schema))
            .collect::<Result<Vec<_>>>()?;
        let output = Output {
            schema: output_schema(query, &passed, &source.schema),
            changelog: source.changelog,
            keys: project_keys(&source.keys, &passed),
        };
        let is_identity = filter.is_none()
            && output.schema.fields().len() == source.schema.fields().len()
            && passed.iter().enumerate().all(|(index, column)| *column == Some(index));
        if is_identity && output.schema == source.schema {
            return Ok(from);
        }
        let id = self.state_id("calc", query);
        let parallelism = self.plan.node(from.node).parallelism;
        let window = self.window_of(&from).and_then(|window| window.projected(&passed));
        let input = self.add(Operation::Calc(Calc { filter, projection }), vec![from], output, parallelism, id)?;
        self.set_window(&input, window);
        Ok(input)
    }

    /// Unions keep no key: two inputs may hold the same one.
    fn union(&mut self, union: &Union, query: &LogicalPlan) -> Result<Input> {
        let inputs = union.inputs.iter().map(|input| self.lower(input)).collect::<Result<Vec<_>>>()?;
        let parallelism = inputs.iter().map(|input| self.plan.node(input.node).parallelism).max().unwrap_or(1);
        let changelog = inputs
            .iter()
            .map(|input| self.plan.output(input).changelog)
            .fold(ChangelogMode::APPEND, ChangelogMode::union);
        let schema = Arc::new(query.schema().as_arrow().clone());
        // Rows of the same windows on all sides are in them behind the union, too.
        let mut windows = inputs.iter().map(|input| self.window_of(input));
        let window = windows.next().flatten().filter(|window| window.dealt_by.is_none());
        let window = window.filter(|window| windows.all(|other| other.as_ref() == Some(window)));
        let inputs = inputs.into_iter().map(|input| self.dealt_to(input, parallelism)).collect();
        let id = self.state_id("union", query);
        let output = Output { schema, changelog, keys: Vec::new() };
        let united = self.add(Operation::Union, inputs, output, parallelism, id)?;
        self.set_window(&united, window);
        Ok(united)
    }

    /// The same input for a consumer of another parallelism: rows of one key stay together.
    fn dealt_to(&self, mut input: Input, parallelism: usize) -> Input {
        if self.plan.node(input.node).parallelism != parallelism {
            let output = self.plan.output(&input);
            input.distribution = match output.keys.first() {
                Some(key) if !output.changelog.is_append() => Distribution::Hash(key.clone()),
                None if !output.changelog.is_append() => Distribution::Single,
                _ => Distribution::Rebalance,
            };
        }
        input
    }

    fn values(&mut self, values: &Values, query: &LogicalPlan) -> Result<Input> {
        let schema = Arc::new(values.schema.as_arrow().clone());
        let columns = (0..schema.fields().len())
            .map(|column| {
                let cells = values.values.iter().map(|row| literal(&row[column])).collect::<Result<Vec<_>>>()?;
                ScalarValue::iter_to_array(cells).map_err(|error| from_datafusion(error, &[]))
            })
            .collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_new(schema, columns).map_err(Error::from_arrow)?;
        self.rows(rows, query)
    }

    /// `SELECT 1`: one row without columns, or none.
    fn constant(&mut self, empty: &EmptyRelation, query: &LogicalPlan) -> Result<Input> {
        let schema: SchemaRef = Arc::new(empty.schema.as_arrow().clone());
        let rows = usize::from(empty.produce_one_row);
        if !schema.fields().is_empty() {
            return self.rows(RecordBatch::new_empty(schema), query);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
            .map_err(Error::from_arrow)?;
        self.rows(rows, query)
    }

    fn rows(&mut self, rows: RecordBatch, query: &LogicalPlan) -> Result<Input> {
        let output = Output { schema: rows.schema(), changelog: ChangelogMode::APPEND, keys: Vec::new() };
        let id = self.state_id("values", query);
        self.add(Operation::Values(sluice_plan::Values { rows }), Vec::new(), output, 1, id)
    }

    /// An id from what the node means: the text of its part of the query.
    pub(super) fn state_id(&self, kind: &str, query: &LogicalPlan) -> String {
        let mut hasher = DefaultHasher::new();
        without_ttl(&query.display_indent().to_string()).hash(&mut hasher);
        let id = format!("{kind} {:016x}", hasher.finish());
        self.unused(id)
    }

    /// The id, with a number behind it if another node has it.
    pub(super) fn unused(&self, id: String) -> String {
        let is_taken = |id: &str| self.plan.nodes().iter().any(|node| node.state_id == id);
        if !is_taken(&id) {
            return id;
        }
        (2..).map(|number| format!("{id} #{number}")).find(|id| !is_taken(id)).unwrap_or(id)
    }
}

/// What two queries have in common that can share their nodes: aggregates of windows may differ in the
/// numbers that are part of the windows' names, and of those of expressions that are computed once.
fn shared(query: &LogicalPlan) -> LogicalPlan {
    if !matches!(query, LogicalPlan::Aggregate(_)) {
        return query.clone();
    }
    let mut common = Vec::new();
    let mut unnumbered = |expression: Expr| {
        expression.transform(|node| match node {
            Expr::Column(column) => {
                let of = column.relation.map(|of| if of.table().starts_with(WINDOW) { WINDOW.into() } else { of });
                Ok(Transformed::yes(Expr::Column(Column::new(of, unnumbered(&column.name, &mut common)))))
            }
            Expr::Alias(mut alias) if alias.name.contains(WINDOW) || alias.name.starts_with(COMMON) => {
                alias.name = unnumbered(&alias.name, &mut common);
                Ok(Transformed::yes(Expr::Alias(alias)))
            }
            other => Ok(Transformed::no(other)),
        })
    };
    let renamed = query.clone().transform_up(|node| match node.map_expressions(&mut unnumbered)?.data {
        LogicalPlan::SubqueryAlias(alias) if alias.alias.table().starts_with(WINDOW) => {
            SubqueryAlias::try_new(alias.input, WINDOW).map(LogicalPlan::SubqueryAlias).map(Transformed::yes)
        }
        node => node.recompute_schema().map(Transformed::yes),
    });
    // What cannot be renamed is not shared.
    renamed.map_or_else(|_| query.clone(), |renamed| renamed.data)
}

/// What the optimiser calls an expression that it computes once, in front of a number.
const COMMON: &str = "__common_expr_";

/// A name without the numbers of the windows that it is made of: `sum($window1.v)`, `sum($window.v)`.
/// Expressions that are computed once are numbered in the order in which they are met, in `common`.
fn unnumbered(name: &str, common: &mut Vec<String>) -> String {
    if name.starts_with(COMMON) {
        let number = common.iter().position(|met| met == name).unwrap_or_else(|| {
            common.push(name.to_owned());
            common.len() - 1
        });
        return format!("{COMMON}{number}");
    }
    let mut parts = name.split(WINDOW);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + WINDOW + part.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

/// Sub-queries that the optimiser has not made joins of would run once, when the job starts.
fn check_subqueries(expression: &Expr) -> Result<()> {
    let has_subquery = expression.exists(|node| Ok(is_subquery(node)));
    if !has_subquery.map_err(|error| from_datafusion(error, &[]))? {
        return Ok(());
    }
    Err(Error::fix("this sub-query in an expression is not supported yet")
        .because("an aggregate in it can be compared with the query around by = only, in its WHERE")
        .with_hint("put it into FROM and join it: FROM t JOIN (SELECT MAX(b) AS top FROM u) AS q ON t.b = q.top"))
}

/// A filter over a stream that does not name the old content of updated rows cannot tell whether a row
/// that it drops had passed before.
fn check_filter(filter: &Expr, input: &LogicalPlan, changelog: ChangelogMode) -> Result<()> {
    let without_before = changelog.contains(RowKind::UpdateAfter) && !changelog.contains(RowKind::UpdateBefore);
    if !without_before || is_on_key(filter, input) {
        return Ok(());
    }
    Err(Error::fix("WHERE over an upsert stream is not supported yet")
        .because(format!("the table delivers [{changelog}], and finding the old content of an updated row needs state"))
        .with_hint("filter by columns of the PRIMARY KEY only"))
}

/// The columns of a projection, with the SQL types of the input where they are passed on as they are, under
/// the names that [`Nodes::add`] would give them: a projection that changes nothing is none.
fn output_schema(query: &LogicalPlan, passed: &[Option<usize>], source: &SchemaRef) -> SchemaRef {
    let fields = query.schema().fields().iter().zip(passed).map(|(field, passed)| match passed {
        Some(index) => source.field(*index).clone().with_name(field.name()),
        None => field.as_ref().clone(),
    });
    Arc::new(Schema::new(with_different_names(fields)))
}

/// Puts numbers behind names that occur again.
fn with_different_names(fields: impl Iterator<Item = Field>) -> Vec<Field> {
    let mut names = HashSet::new();
    let different = |field: Field| {
        let mut name = field.name().clone();
        let mut number = 0;
        while !names.insert(name.clone()) {
            name = format!("{}{number}", field.name());
            number += 1;
        }
        field.with_name(name)
    };
    fields.map(different).collect()
}

/// An expression over the names of a stream's columns, which have no qualifier.
pub(super) fn unqualified(expression: &Expr, schema: &DFSchema, source: &SchemaRef) -> Result<Expr> {
    let renamed = expression.clone().transform(|node| match node {
        Expr::Column(column) => {
            let index = schema.index_of_column(&column)?;
            let name = source.field(index).name();
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    });
    renamed.map(|renamed| renamed.data).map_err(|error| from_datafusion(error, &[]))
}

/// A cell of `VALUES`, which the optimiser has computed.
fn literal(expression: &Expr) -> Result<ScalarValue> {
    match expression {
        Expr::Literal(value, _) => Ok(value.clone()),
        Expr::Alias(alias) => literal(&alias.expr),
        other => Err(Error::fix(format!("VALUES takes constants only, not {other}"))
            .with_hint("use SELECT for expressions that are computed when the job runs")),
    }
}

fn not_yet(query: &LogicalPlan) -> Error {
    let what = match query {
        LogicalPlan::Subquery(_) => "this LATERAL sub-query",
        _ => "this part of the query",
    };
    Error::fix(format!("{what} is not supported yet")).with_hint("docs/flink-compatibility.md lists what is")
}

//! Which tables a job reads, which columns of them, and over which connections.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan, TableScan};
use sluice_connector_api::{Connectors, Source};
use sluice_model::{ChangelogMode, Error, Result, RowKind, TableDefinition};
use sluice_plan::{Distribution, Input, Node, Operation, Output, SourceTable, StreamPlan};

use super::fields::RowFields;
use super::needs::Needs;
use crate::bind::BaseTable;
use crate::catalog::CatalogTable;
use crate::{ObjectPath, PlannerSettings};

/// All scans of a job, merged by table.
#[derive(Debug, Default)]
pub(super) struct Scans(BTreeMap<ObjectPath, Scan>);

#[derive(Debug)]
struct Scan {
    table: Arc<CatalogTable>,
    /// Names of columns that somebody needs.
    columns: BTreeSet<String>,
    /// Somebody needs the old content of updated rows.
    update_before: bool,
}

/// Output of a source for each table.
pub(super) type Ports = HashMap<ObjectPath, Input>;

impl Scans {
    /// Notes a scan whose consumer needs `-U` rows, or not.
    pub(super) fn add(&mut self, scan: &TableScan, update_before: bool) -> Result<()> {
        let base = base_table(scan)?;
        let entry = self.0.entry(base.table.path.clone()).or_insert_with(|| Scan {
            table: Arc::clone(&base.table),
            columns: base.table.primary_key.iter().cloned().collect(),
            update_before: false,
        });
        entry.update_before |= update_before;
        entry.columns.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
        Ok(())
    }

    /// Adds one source node per connection, and says which port carries which table.
    pub(super) fn sources(
        self,
        connectors: &Connectors,
        settings: &PlannerSettings,
        fields: &RowFields,
        plan: &mut StreamPlan,
    ) -> Result<Ports> {
        let mut groups: BTreeMap<String, Vec<(ObjectPath, TableDefinition, ChangelogMode)>> = BTreeMap::new();
        for (path, scan) in self.0 {
            let mut definition = scan.narrowed()?;
            if connectors.of_table(&definition)?.info().narrows_rows {
                for column in &mut definition.schema.columns {
                    column.data_type = fields.narrowed(&path, &column.name, &column.data_type);
                }
            }
            let key = connectors.sharing_key(&definition)?.unwrap_or_else(|| format!("table {path}"));
            let has_key = !definition.schema.primary_key.is_empty();
            let upsert = has_key && !scan.update_before;
            let wanted = if upsert { ChangelogMode::UPSERT } else { ChangelogMode::RETRACT };
            groups.entry(key).or_default().push((path, definition, wanted));
        }
        let mut ports = Ports::new();
        for (key, tables) in groups {
            add_source(connectors, settings, plan, &key, tables, &mut ports)?;
        }
        Ok(ports)
    }
}

/// Paths of the scanned tables whose connector can share a reader.
pub(crate) fn shared_tables(connectors: &Connectors, query: &LogicalPlan) -> Result<Vec<String>> {
    let mut needs = Needs::default();
    needs.collect(query, false)?;
    let mut shared = Vec::new();
    for (path, scan) in needs.scans.0 {
        if connectors.sharing_key(&scan.table.definition(false)?)?.is_some() {
            shared.push(path.to_string());
        }
    }
    Ok(shared)
}

impl Scan {
    /// The table with only the columns that are needed, in their order.
    fn narrowed(&self) -> Result<TableDefinition> {
        let mut definition = self.table.definition(false)?;
        let key: Vec<String> = definition.schema.primary_key_names().into_iter().map(str::to_owned).collect();
        definition.schema.columns.retain(|column| self.columns.contains(&column.name));
        definition.schema.primary_key = key.iter().filter_map(|name| definition.schema.index_of(name)).collect();
        definition.metadata.retain(|(_, column)| self.columns.contains(&column.name));
        Ok(definition)
    }
}

fn add_source(
    connectors: &Connectors,
    settings: &PlannerSettings,
    plan: &mut StreamPlan,
    key: &str,
    tables: Vec<(ObjectPath, TableDefinition, ChangelogMode)>,
    ports: &mut Ports,
) -> Result<()> {
    let definitions = tables.iter().map(|(_, definition, mode)| (definition.clone(), *mode)).collect();
    let source = connectors.source(definitions)?;
    let outputs = tables
        .iter()
        .enumerate()
        .map(|(index, (_, definition, _))| output_of(source.as_ref(), index, definition))
        .collect::<Vec<_>>();
    let wanted = source.parallelism().unwrap_or(settings.parallelism);
    let parallelism = wanted.min(source.max_parallelism().unwrap_or(usize::MAX)).max(1);
    let (paths, tables): (Vec<_>, Vec<_>) =
        tables.into_iter().map(|(path, definition, changelog)| (path, SourceTable { definition, changelog })).unzip();
    let node = plan.add(Node {
        operation: Operation::Source(sluice_plan::Source { tables, bounded: source.is_bounded() }),
        inputs: Vec::new(),
        outputs,
        parallelism,
        state_id: format!("source {key}"),
    })?;
    for (port, path) in paths.into_iter().enumerate() {
        let input = Input { node, port, distribution: Distribution::Forward };
        let input = normalized(plan, settings, input, &path)?;
        ports.insert(path, input);
    }
    Ok(())
}

/// Where somebody wants `-U` and the connector cannot tell, the rows of the table are kept.
fn normalized(plan: &mut StreamPlan, settings: &PlannerSettings, input: Input, path: &ObjectPath) -> Result<Input> {
    let output = plan.output(&input).clone();
    let Operation::Source(source) = &plan.node(input.node).operation else { return Ok(input) };
    let is_wanted = source.tables[input.port].changelog.contains(RowKind::UpdateBefore);
    let is_there = output.changelog.is_append() || output.changelog.contains(RowKind::UpdateBefore);
    let Some(key) = output.keys.first().cloned().filter(|_| is_wanted && !is_there) else { return Ok(input) };
    let distribution = match (plan.node(input.node).parallelism, settings.parallelism) {
        (1, 1) => Distribution::Forward,
        (_, 1) => Distribution::Single,
        _ => Distribution::Hash(key.clone()),
    };
    let node = plan.add(Node {
        operation: Operation::Normalize(sluice_plan::Normalize { key, update_before: true }),
        inputs: vec![Input { distribution, ..input }],
        outputs: vec![Output { changelog: ChangelogMode::RETRACT, ..output }],
        parallelism: settings.parallelism,
        state_id: format!("normalize {path}"),
    })?;
    Ok(Input { node, port: 0, distribution: Distribution::Forward })
}

fn output_of(source: &dyn Source, index: usize, definition: &TableDefinition) -> Output {
    let columns = definition.schema.columns.iter().chain(definition.metadata.iter().map(|(_, column)| column));
    let schema = arrow_schema::Schema::new(columns.map(sluice_model::Column::to_field).collect::<Vec<_>>());
    let key = &definition.schema.primary_key;
    let keys = if key.is_empty() { Vec::new() } else { vec![key.clone()] };
    Output { schema: Arc::new(schema), changelog: source.changelog_mode(index), keys }
}

/// The declared table behind a scan.
pub(super) fn base_table(scan: &TableScan) -> Result<&BaseTable> {
    scan.source
        .downcast_ref::<BaseTable>()
        .ok_or_else(|| Error::bug(format!("table '{}' was not expanded", scan.table_name)))
}

/// True if a condition looks at nothing but a key of its input: then both sides of an update pass
/// it or neither does, and `-U` is not needed on its account.
pub(super) fn is_on_key(predicate: &Expr, input: &LogicalPlan) -> bool {
    let mut columns = BTreeSet::new();
    if !gather_columns(predicate, &mut columns) {
        return false;
    }
    let mut key = None;
    let found = input.apply(|node| {
        Ok(match node {
            LogicalPlan::TableScan(scan) => {
                key = base_table(scan).ok().map(|base| base.table.primary_key.clone());
                TreeNodeRecursion::Stop
            }
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) | LogicalPlan::Extension(_) => {
                TreeNodeRecursion::Continue
            }
            _ => TreeNodeRecursion::Stop,
        })
    });
    found.is_ok() && key.is_some_and(|key| columns.iter().all(|column| key.contains(column)))
}

/// Names of the columns of an expression; false if it is not a pure function of them.
fn gather_columns(expression: &Expr, columns: &mut BTreeSet<String>) -> bool {
    if expression.is_volatile() {
        return false;
    }
    columns.extend(expression.column_refs().into_iter().map(|column| column.name.clone()));
    true
}

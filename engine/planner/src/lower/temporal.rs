//! Temporal joins: joins with the version of a table that was valid at the time of a row.
//!
//! ```text
//! Join: o.c = r.c, $as_of(o.t, r.c)       TemporalJoin: versions=[r1 at l2], where=[l1 = r0]
//!   …                                     ├─ …
//!   Version: rates             ─►         └─ the changelog of rates
//! ```

use arrow_schema::{DataType, Schema};
use datafusion_common::{JoinType, NullEquality};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Cast, Expr, LogicalPlan};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{Input, JoinKind, Operation, Output, TemporalJoin};

use super::join::{Side, joined_keys, joined_schema};
use super::lookup::{plain, renamed};
use super::nodes::Nodes;
use crate::logical::{VersionNode, Versions, time_of};

/// The right side of a join above the versions of its table.
struct Above {
    /// For each column of the side, which column of the table it is.
    columns: Vec<usize>,
    /// Conditions over the columns of the table, as `r0, r1, …`.
    conditions: Vec<Expr>,
}

impl Nodes {
    pub(super) fn temporal_join(
        &mut self,
        join: &datafusion_expr::Join,
        version: &VersionNode,
        versions: &Versions,
        query: &LogicalPlan,
    ) -> Result<Input> {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            _ => return Err(Error::fix("FOR SYSTEM_TIME AS OF goes with JOIN and LEFT JOIN only")),
        };
        if join.null_equality == NullEquality::NullEqualsNull {
            return Err(
                Error::fix("a temporal join by IS NOT DISTINCT FROM is not supported").with_hint("compare with =")
            );
        }
        if version.retry.is_some() {
            return Err(Error::fix(format!("the hint LOOKUP has no effect on '{}'", version.table))
                .because("a join as of an event time asks nobody: it waits for the watermark of both tables")
                .with_hint("leave the hint out"));
        }
        let above = above(&join.right, version)?;
        let place = |expression: &Expr| plain(expression, &version.input);
        let lost = || Error::bug("a versioned table has lost a column that its versions need");
        let key = versions.key.iter().map(place).collect::<Option<Vec<_>>>().ok_or_else(lost)?;
        let right_time = place(&versions.time).ok_or_else(lost)?;
        let (on, residual) = equalities(join, version, &above, &key)?;
        let filters: Vec<Expr> =
            join.filter.iter().flat_map(|filter| split_conjunction_owned(filter.clone())).collect();
        let left_time = filters.iter().find_map(time_of).and_then(|time| plain(time, &join.left)).ok_or_else(lost)?;
        let filters = filters.into_iter().filter(|filter| time_of(filter).is_none());
        let over_pairs = |condition: &Expr| {
            renamed(condition, |column| match join.left.schema().maybe_index_of_column(column) {
                Some(index) => Some(format!("l{index}")),
                None => Some(format!("r{}", above.columns[join.right.schema().maybe_index_of_column(column)?])),
            })
        };
        let conditions = residual.into_iter().chain(filters).map(|condition| over_pairs(&condition));
        let conditions = conditions.chain(above.conditions.iter().cloned().map(Ok)).collect::<Result<Vec<_>>>()?;
        let left = self.side(&join.left, on.iter().map(|(left, _)| left), query)?;
        let right = self.side(&version.input, on.iter().map(|(_, right)| right), query)?;
        let node = TemporalJoin {
            kind,
            keys: left.keys.iter().copied().zip(right.keys.iter().copied()).collect(),
            condition: conjunction(conditions),
            times: [left_time, right_time],
        };
        self.add_temporal(node, [left, right], key, &above.columns, query)
    }

    fn add_temporal(
        &mut self,
        node: TemporalJoin,
        sides: [Side; 2],
        key: Vec<usize>,
        columns: &[usize],
        query: &LogicalPlan,
    ) -> Result<Input> {
        let [left, right] = &sides;
        let mut outputs = [self.plan().output(&left.input).clone(), self.plan().output(&right.input).clone()];
        // One version at most is valid at a time.
        let mut unique = key;
        unique.retain(|column| *column < right.width);
        outputs[1].keys = vec![unique, right.keys.clone()];
        let all_left = outputs[0].schema.fields().len();
        let is_append = outputs[0].changelog.is_append();
        let output = Output {
            schema: joined_schema(&outputs, node.kind),
            changelog: if is_append { ChangelogMode::APPEND } else { ChangelogMode::RETRACT },
            keys: joined_keys(&outputs, &left.keys, &right.keys, node.kind),
        };
        let kept: Vec<usize> = (0..left.width).chain(columns.iter().map(|column| all_left + column)).collect();
        let parallelism = self.parallelism();
        let inputs = sides.map(|side| self.dealt(side, parallelism)).into_iter().collect();
        let id = self.state_id("temporal join", query);
        let joined = self.add(Operation::TemporalJoin(Box::new(node)), inputs, output, parallelism, id)?;
        self.restored_columns(joined, &kept, &Schema::empty(), query)
    }
}

/// Pairs of expressions over both sides that are equal.
type Equalities = Vec<(Expr, Expr)>;

/// The equalities that are about the primary key, the right over the columns of the table, and the others
/// as conditions.
fn equalities(
    join: &datafusion_expr::Join,
    version: &VersionNode,
    above: &Above,
    key: &[usize],
) -> Result<(Equalities, Vec<Expr>)> {
    let columns = version.input.schema().columns();
    let (mut on, mut residual, mut found) = (Equalities::new(), Vec::new(), Vec::new());
    for (left, right) in &join.on {
        let place = widened(right, &join.right).map(|column| above.columns[column]);
        match place.filter(|place| key.contains(place)) {
            Some(place) => {
                let column = Expr::Column(columns[place].clone());
                let right = match right {
                    Expr::Cast(cast) => Expr::Cast(Cast { expr: Box::new(column), ..cast.clone() }),
                    _ => column,
                };
                on.push((left.clone(), right));
                found.push(place);
            }
            None => residual.push(left.clone().eq(right.clone())),
        }
    }
    if key.iter().all(|column| found.contains(column)) {
        return Ok((on, residual));
    }
    let names: Vec<_> = key.iter().map(|column| columns[*column].name.as_str()).collect();
    let condition: Vec<_> = join.on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
    Err(Error::fix(format!(
        "Temporal table's primary key [{}] must be included in the equivalence condition of temporal join, \
         but current temporal join condition is [{}].",
        names.join(", "),
        condition.join(" AND ")
    ))
    .while_doing(format!("table '{}' FOR SYSTEM_TIME AS OF an event time", version.table)))
}

/// The place of a column, perhaps cast to a type that keeps different values different.
fn widened(expression: &Expr, plan: &LogicalPlan) -> Option<usize> {
    let Expr::Cast(cast) = expression else { return plain(expression, plan) };
    let place = plain(&cast.expr, plan)?;
    let bits = |data_type: &DataType| match data_type {
        DataType::Int8 => Some(8),
        DataType::Int16 => Some(16),
        DataType::Int32 => Some(32),
        DataType::Int64 => Some(64),
        _ => None,
    };
    let from = bits(plan.schema().field(place).data_type())?;
    bits(cast.field.data_type()).filter(|to| *to >= from).map(|_| place)
}

/// What is between a join and the versions of its right side.
fn above(plan: &LogicalPlan, version: &VersionNode) -> Result<Above> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => above(&alias.input, version),
        LogicalPlan::Filter(filter) => {
            let mut below = above(&filter.input, version)?;
            let schema = filter.input.schema();
            let condition = renamed(&filter.predicate, |column| {
                Some(format!("r{}", below.columns[schema.maybe_index_of_column(column)?]))
            })?;
            below.conditions.push(condition);
            Ok(below)
        }
        LogicalPlan::Projection(projection) => {
            let below = above(&projection.input, version)?;
            let place = |expression| plain(expression, &projection.input).map(|column| below.columns[column]);
            let columns = projection.expr.iter().map(place).collect::<Option<Vec<_>>>();
            let columns = columns.ok_or_else(|| Error::bug("a computed column above the versions of a table"))?;
            Ok(Above { columns, ..below })
        }
        _ => Ok(Above { columns: (0..version.input.schema().fields().len()).collect(), conditions: Vec::new() }),
    }
}

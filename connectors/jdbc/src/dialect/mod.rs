//! SQL text for a target.
//!
//! Two ways to replace rows by key:
//!
//! - [`Strategy::OnConflict`]: `INSERT … ON CONFLICT (key) DO UPDATE`, where an immediate unique index
//!   over the key exists and the storage is known to support it.
//! - [`Strategy::Replace`]: delete the keys, then insert the rows, in one transaction and under a lock
//!   that keeps other writers out. Works on every table of every version, such as
//!   append-optimised tables and Greenplum 6.
//!
//! On a warehouse the staging tables are distributed as the target is, so that rows meet on their
//! segment. Columns of the key are never assigned in an update: the distribution key, which must be
//! part of a unique index there, cannot be updated by `ON CONFLICT`.

mod rows;
mod stage;

use crate::catalog::{ColumnPlan, TableKind, WritePlan, quote};

pub(crate) use rows::RowStatements;
pub(crate) use stage::StageStatements;

/// How rows get into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// No key: rows are only inserted.
    Append,
    /// A unique index decides between insertion and update.
    OnConflict,
    /// Rows are deleted by key, then inserted.
    Replace,
}

impl Strategy {
    /// The best way for a target. `portable` asks for the one that works everywhere.
    pub(crate) fn of(plan: &WritePlan, portable: bool) -> Self {
        let server = plan.target.server;
        // Greenplum 6 is PostgreSQL 9.4, which has no ON CONFLICT.
        let has_on_conflict = server.version >= 90_500 && plan.target.kind == TableKind::Heap;
        if plan.key.is_empty() {
            Self::Append
        } else if portable || !plan.has_arbiter || !has_on_conflict {
            Self::Replace
        } else {
            Self::OnConflict
        }
    }
}

/// All statements for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statements {
    /// With arrays of values as parameters, for few rows; and with single values, for one.
    pub(crate) rows: RowStatements,
    /// Over staging tables, for many rows.
    pub(crate) stage: StageStatements,
    /// Keeps other writers out until the transaction ends, where the strategy or the server needs it.
    pub(crate) lock: Option<String>,
}

impl Statements {
    /// The statements for `strategy`.
    pub(crate) fn new(plan: &WritePlan, strategy: Strategy) -> Self {
        let sql = SqlWriter { plan, strategy };
        // A warehouse may lock the whole table for an update that began as an insertion, in an order
        // that two writers do not agree on.
        let locks = strategy == Strategy::Replace || (strategy != Strategy::Append && plan.target.server.is_warehouse);
        let lock = locks.then(|| format!("LOCK TABLE {} IN EXCLUSIVE MODE", plan.target.quoted()));
        Self { rows: RowStatements::new(&sql), stage: StageStatements::new(&sql), lock }
    }
}

/// Writes the parts that statements have in common.
struct SqlWriter<'a> {
    plan: &'a WritePlan,
    strategy: Strategy,
}

impl SqlWriter<'_> {
    /// `"a", "b"`.
    fn names<'c>(&self, columns: impl IntoIterator<Item = &'c ColumnPlan>) -> String {
        columns.into_iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ")
    }

    /// The column of row source `s`, in the target's type.
    fn value(&self, column: &ColumnPlan) -> String {
        let name = quote(&column.name);
        if column.cast { format!("s.{name}::{}", column.type_name) } else { format!("s.{name}") }
    }

    /// `INSERT INTO t (…)` with what an identity column needs.
    fn insert_head(&self) -> String {
        let plan = self.plan;
        let written = |name: &str| plan.columns.iter().any(|column| column.name == name);
        let overriding = plan.target.columns.iter().any(|column| column.identity_always && written(&column.name));
        let overriding = if overriding { " OVERRIDING SYSTEM VALUE" } else { "" };
        format!("INSERT INTO {} ({}){overriding}", plan.target.quoted(), self.names(&plan.columns))
    }

    /// What follows an insertion that may meet a row of its key.
    fn on_conflict(&self) -> String {
        if self.strategy != Strategy::OnConflict {
            return String::new();
        }
        let plan = self.plan;
        let is_key = |place: &usize| plan.key.contains(place);
        let assignments: Vec<String> = plan
            .columns
            .iter()
            .enumerate()
            .filter(|(place, _)| !is_key(place))
            .map(|(_, column)| format!("{0} = EXCLUDED.{0}", quote(&column.name)))
            .collect();
        let key = self.names(plan.key_columns());
        if assignments.is_empty() {
            format!(" ON CONFLICT ({key}) DO NOTHING")
        } else {
            format!(" ON CONFLICT ({key}) DO UPDATE SET {}", assignments.join(", "))
        }
    }

    /// `t."k" = s."k" AND …`.
    fn same_key(&self) -> String {
        let conditions: Vec<String> = self
            .plan
            .key_columns()
            .map(|column| format!("t.{} = {}", quote(&column.name), self.value(column)))
            .collect();
        conditions.join(" AND ")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::{Distribution, Server, Target};
    use crate::encode::Wire;

    /// `dw.t (id bigint, uid uuid, name varchar(9))`, keyed by `(id, uid)`.
    pub(crate) fn plan() -> WritePlan {
        let column = |source, name: &str, wire, type_name: &str, cast| ColumnPlan {
            source,
            name: name.into(),
            wire,
            type_name: type_name.into(),
            cast,
        };
        WritePlan {
            target: Target {
                server: Server { version: 150_004, is_warehouse: false },
                schema: "dw".into(),
                table: "t".into(),
                kind: TableKind::Heap,
                columns: Vec::new(),
                uniques: Vec::new(),
                is_referenced: false,
                distribution: None,
            },
            declared: "t".into(),
            columns: vec![
                column(0, "id", Wire::Int8, "bigint", false),
                column(1, "uid", Wire::Text, "uuid", true),
                column(2, "name", Wire::Text, "character varying(9)", false),
            ],
            key: vec![0, 1],
            has_arbiter: true,
            has_unique: true,
        }
    }

    pub(crate) fn warehouse(kind: TableKind) -> WritePlan {
        let mut plan = plan();
        plan.target.server = Server { version: 140_004, is_warehouse: true };
        plan.target.kind = kind;
        plan.target.distribution = Some(Distribution::Columns(vec!["id".into()]));
        plan
    }

    #[test]
    fn the_strategy_follows_the_target() {
        assert_eq!(Strategy::of(&plan(), false), Strategy::OnConflict);
        assert_eq!(Strategy::of(&plan(), true), Strategy::Replace);
        assert_eq!(Strategy::of(&warehouse(TableKind::Heap), false), Strategy::OnConflict);
        assert_eq!(Strategy::of(&warehouse(TableKind::AppendOptimised), false), Strategy::Replace);
        let mut greenplum_6 = warehouse(TableKind::Heap);
        greenplum_6.target.server.version = 90_426;
        assert_eq!(Strategy::of(&greenplum_6, false), Strategy::Replace);
        assert_eq!(Strategy::of(&WritePlan { has_arbiter: false, ..plan() }, false), Strategy::Replace);
        assert_eq!(Strategy::of(&WritePlan { key: vec![], ..plan() }, true), Strategy::Append);
    }

    #[test]
    fn writers_exclude_each_other_where_rows_are_replaced() {
        let lock = |plan: WritePlan, strategy| Statements::new(&plan, strategy).lock;
        assert_eq!(lock(plan(), Strategy::OnConflict), None);
        let exclusive = Some("LOCK TABLE \"dw\".\"t\" IN EXCLUSIVE MODE".to_owned());
        assert_eq!(lock(plan(), Strategy::Replace), exclusive);
        assert_eq!(lock(warehouse(TableKind::Heap), Strategy::OnConflict), exclusive);
        assert_eq!(lock(warehouse(TableKind::Heap), Strategy::Append), None);
    }
}

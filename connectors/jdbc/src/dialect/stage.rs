//! Statements over staging tables that `COPY` fills.

use super::{SqlWriter, Strategy};
use crate::catalog::{ColumnPlan, Distribution, quote};

/// Name of the temporary table that holds rows to upsert. Appears in errors of `COPY`.
pub(crate) const UPSERTS: &str = "sluice_upserts";
/// Name of the temporary table that holds keys to delete.
pub(crate) const DELETES: &str = "sluice_deletes";

/// Statements for many rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageStatements {
    /// Creates the staging tables, which the end of every transaction empties.
    pub(crate) create: String,
    pub(crate) copy_upserts: String,
    pub(crate) copy_deletes: String,
    /// Straight into the target.
    pub(crate) copy_target: String,
    /// Deletes the rows whose keys are staged for deletion.
    pub(crate) delete: String,
    /// Deletes the rows whose keys are staged for insertion.
    pub(crate) delete_upserted: String,
    /// Inserts the staged rows, and updates if the strategy does.
    pub(crate) upsert: String,
}

impl StageStatements {
    pub(super) fn new(sql: &SqlWriter<'_>) -> Self {
        let plan = sql.plan;
        let copy = |table: &str, columns: String| format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
        let values: Vec<String> = plan.columns.iter().map(|column| sql.value(column)).collect();
        let upsert =
            format!("{} SELECT {} FROM pg_temp.{UPSERTS} s{}", sql.insert_head(), values.join(", "), sql.on_conflict());
        let copy_upserts = copy(&format!("pg_temp.{UPSERTS}"), sql.names(&plan.columns));
        let copy_target = copy(&plan.target.quoted(), sql.names(&plan.columns));
        let create_upserts = create(sql, UPSERTS, plan.columns.iter().collect());
        if sql.strategy == Strategy::Append {
            return Self {
                create: create_upserts,
                copy_upserts,
                copy_target,
                upsert,
                copy_deletes: String::new(),
                delete: String::new(),
                delete_upserted: String::new(),
            };
        }
        let delete = |stage: &str| {
            format!("DELETE FROM {} t USING pg_temp.{stage} s WHERE {}", plan.target.quoted(), sql.same_key())
        };
        Self {
            create: format!("{create_upserts}; {}", create(sql, DELETES, plan.key_columns().collect())),
            copy_upserts,
            copy_deletes: copy(&format!("pg_temp.{DELETES}"), sql.names(plan.key_columns())),
            copy_target,
            delete: delete(DELETES),
            delete_upserted: delete(UPSERTS),
            upsert,
        }
    }
}

/// A staging table has the target's types, so that a value that does not fit is reported with its
/// row and column while it is copied.
fn create(sql: &SqlWriter<'_>, name: &str, columns: Vec<&ColumnPlan>) -> String {
    let definitions: Vec<String> = columns
        .iter()
        .map(|column| {
            let type_name = if column.cast { column.wire.name() } else { column.type_name.clone() };
            format!("{} {type_name}", quote(&column.name))
        })
        .collect();
    let target = &sql.plan.target;
    let has = |name: &String| columns.iter().any(|column| column.name == *name && !column.cast);
    let distributed = match &target.distribution {
        _ if !target.server.is_warehouse => String::new(),
        Some(Distribution::Columns(names)) if names.iter().all(has) => {
            let names: Vec<String> = names.iter().map(|name| quote(name)).collect();
            format!(" DISTRIBUTED BY ({})", names.join(", "))
        }
        Some(Distribution::Replicated) => " DISTRIBUTED REPLICATED".to_owned(),
        _ => " DISTRIBUTED RANDOMLY".to_owned(),
    };
    format!("CREATE TEMPORARY TABLE {name} ({}) ON COMMIT DELETE ROWS{distributed}", definitions.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::Statements;
    use super::super::tests::{plan, warehouse};
    use super::*;
    use crate::catalog::TableKind;

    #[test]
    fn postgresql() {
        let stage = Statements::new(&plan(), Strategy::OnConflict).stage;
        assert_eq!(
            stage.create,
            "CREATE TEMPORARY TABLE sluice_upserts (\"id\" bigint, \"uid\" text, \"name\" character varying(9)) \
             ON COMMIT DELETE ROWS; \
             CREATE TEMPORARY TABLE sluice_deletes (\"id\" bigint, \"uid\" text) ON COMMIT DELETE ROWS"
        );
        assert_eq!(
            stage.copy_upserts,
            "COPY pg_temp.sluice_upserts (\"id\", \"uid\", \"name\") FROM STDIN (FORMAT binary)"
        );
        assert_eq!(
            stage.upsert,
            "INSERT INTO \"dw\".\"t\" (\"id\", \"uid\", \"name\") SELECT s.\"id\", s.\"uid\"::uuid, s.\"name\" \
             FROM pg_temp.sluice_upserts s \
             ON CONFLICT (\"id\", \"uid\") DO UPDATE SET \"name\" = EXCLUDED.\"name\""
        );
        assert_eq!(
            stage.delete,
            "DELETE FROM \"dw\".\"t\" t USING pg_temp.sluice_deletes s \
             WHERE t.\"id\" = s.\"id\" AND t.\"uid\" = s.\"uid\"::uuid"
        );
    }

    #[test]
    fn a_warehouse_stages_rows_where_the_target_has_them() {
        let stage = Statements::new(&warehouse(TableKind::AppendOptimised), Strategy::Replace).stage;
        let ends = stage.create.matches("ON COMMIT DELETE ROWS DISTRIBUTED BY (\"id\")").count();
        assert_eq!(ends, 2, "{}", stage.create);
        assert!(!stage.upsert.contains("ON CONFLICT"));
        assert!(stage.delete_upserted.starts_with("DELETE FROM \"dw\".\"t\" t USING pg_temp.sluice_upserts s"));
    }

    #[test]
    fn the_distribution_key_is_never_assigned() {
        let stage = Statements::new(&warehouse(TableKind::Heap), Strategy::OnConflict).stage;
        assert!(stage.upsert.ends_with("DO UPDATE SET \"name\" = EXCLUDED.\"name\""), "{}", stage.upsert);
    }

    #[test]
    fn other_distributions() {
        let create = |distribution| {
            let mut plan = warehouse(TableKind::Heap);
            plan.target.distribution = distribution;
            Statements::new(&plan, Strategy::Replace).stage.create
        };
        assert!(create(Some(Distribution::Replicated)).ends_with("DISTRIBUTED REPLICATED"));
        assert!(create(Some(Distribution::Random)).ends_with("DISTRIBUTED RANDOMLY"));
        // Keys to delete do not have the column that rows are distributed by.
        let create = create(Some(Distribution::Columns(vec!["name".into()])));
        assert!(create.contains("DISTRIBUTED BY (\"name\");") && create.ends_with("DISTRIBUTED RANDOMLY"), "{create}");
    }
}

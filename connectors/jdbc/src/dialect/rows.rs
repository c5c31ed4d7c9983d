//! Statements that carry their rows as parameters.

use super::{SqlWriter, Strategy};
use crate::catalog::{ColumnPlan, quote};

/// Statements with parameters `$1`, `$2`, …: arrays of a column's values, or single values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowStatements {
    /// Arrays of all columns: inserts, and updates if the strategy does.
    pub(crate) upsert: String,
    /// Arrays of the key's columns: deletes. Empty without a key.
    pub(crate) delete: String,
    /// Single values of all columns.
    pub(crate) upsert_one: String,
    /// Single values of the key's columns. Empty without a key.
    pub(crate) delete_one: String,
}

impl RowStatements {
    pub(super) fn new(sql: &SqlWriter<'_>) -> Self {
        let plan = sql.plan;
        let head = sql.insert_head();
        let values: Vec<String> = plan.columns.iter().map(|column| sql.value(column)).collect();
        let singles: Vec<String> = (1..).zip(&plan.columns).map(|(number, column)| single(number, column)).collect();
        let on_conflict = sql.on_conflict();
        let upsert = format!("{head} SELECT {} FROM {} s{on_conflict}", values.join(", "), unnest(&plan.columns, sql));
        let upsert_one = format!("{head} VALUES ({}){on_conflict}", singles.join(", "));
        if sql.strategy == Strategy::Append {
            return Self { upsert, delete: String::new(), upsert_one, delete_one: String::new() };
        }
        let table = plan.target.quoted();
        let conditions: Vec<String> = (1..)
            .zip(plan.key_columns())
            .map(|(number, column)| format!("{} = {}", quote(&column.name), single(number, column)))
            .collect();
        Self {
            upsert,
            delete: format!(
                "DELETE FROM {table} t USING {} s WHERE {}",
                unnest(plan.key_columns(), sql),
                sql.same_key()
            ),
            upsert_one,
            delete_one: format!("DELETE FROM {table} WHERE {}", conditions.join(" AND ")),
        }
    }
}

/// `(SELECT * FROM unnest($1::int8[], $2::text[]) AS u("id", "uid"))`.
fn unnest<'c>(columns: impl IntoIterator<Item = &'c ColumnPlan> + Clone, sql: &SqlWriter<'_>) -> String {
    let arrays: Vec<String> = (1..)
        .zip(columns.clone())
        .map(|(number, column): (usize, _)| format!("${number}::{}[]", column.wire.name()))
        .collect();
    format!("(SELECT * FROM unnest({}) AS u({}))", arrays.join(", "), sql.names(columns))
}

fn single(number: usize, column: &ColumnPlan) -> String {
    let parameter = format!("${number}::{}", column.wire.name());
    if column.cast { format!("{parameter}::{}", column.type_name) } else { parameter }
}

#[cfg(test)]
mod tests {
    use super::super::Statements;
    use super::super::tests::plan;
    use super::*;

    #[test]
    fn postgresql() {
        let rows = Statements::new(&plan(), Strategy::OnConflict).rows;
        assert_eq!(
            rows.upsert,
            "INSERT INTO \"dw\".\"t\" (\"id\", \"uid\", \"name\") SELECT s.\"id\", s.\"uid\"::uuid, s.\"name\" FROM \
             (SELECT * FROM unnest($1::int8[], $2::text[], $3::text[]) AS u(\"id\", \"uid\", \"name\")) s \
             ON CONFLICT (\"id\", \"uid\") DO UPDATE SET \"name\" = EXCLUDED.\"name\""
        );
        assert_eq!(
            rows.delete,
            "DELETE FROM \"dw\".\"t\" t USING (SELECT * FROM unnest($1::int8[], $2::text[]) AS u(\"id\", \"uid\")) s \
             WHERE t.\"id\" = s.\"id\" AND t.\"uid\" = s.\"uid\"::uuid"
        );
        assert_eq!(rows.delete_one, "DELETE FROM \"dw\".\"t\" WHERE \"id\" = $1::int8 AND \"uid\" = $2::text::uuid");
    }

    #[test]
    fn a_table_that_is_all_key_has_nothing_to_update() {
        let mut plan = plan();
        plan.columns.truncate(2);
        let rows = Statements::new(&plan, Strategy::OnConflict).rows;
        assert!(rows.upsert_one.ends_with("ON CONFLICT (\"id\", \"uid\") DO NOTHING"), "{}", rows.upsert_one);
    }

    #[test]
    fn the_portable_way_has_no_on_conflict() {
        let rows = Statements::new(&plan(), Strategy::Replace).rows;
        assert!(rows.upsert.ends_with("AS u(\"id\", \"uid\", \"name\")) s"), "{}", rows.upsert);
    }
}

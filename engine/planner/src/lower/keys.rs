//! Unique keys through projections and filters.

use datafusion_expr::Expr;

/// Keys of a projection: a key survives if each of its columns is passed on as it is.
///
/// `columns` has, for each output column, the input column that it is a plain copy of.
pub(super) fn project_keys(keys: &[Vec<usize>], columns: &[Option<usize>]) -> Vec<Vec<usize>> {
    keys.iter()
        .filter_map(|key| {
            key.iter()
                .map(|column| columns.iter().position(|source| *source == Some(*column)))
                .collect::<Option<Vec<_>>>()
        })
        .collect()
}

/// Whether the changes of one `key` come out of one subtask, in their order, when rows were dealt by
/// `columns`: only then the newest change of a key is the one that comes last. (Flink calls such a
/// key an upsert key.)
///
/// With one subtask it would always be so, but a plan must not depend on that: state has to fit when
/// the parallelism changes.
pub(super) fn keeps_order(key: &[usize], columns: &[usize]) -> bool {
    columns.iter().all(|column| key.contains(column))
}

/// The name of the column that an expression passes on unchanged: a column, perhaps renamed, or a
/// cast that keeps different values different.
pub(super) fn passed_column(expression: &Expr) -> Option<&datafusion_common::Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => passed_column(&alias.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_if_all_its_columns_do() {
        let keys = vec![vec![0, 1], vec![2]];
        assert_eq!(project_keys(&keys, &[Some(1), None, Some(0)]), vec![vec![2, 0]]);
        assert_eq!(project_keys(&keys, &[Some(2)]), vec![vec![0]]);
        assert!(project_keys(&keys, &[Some(1)]).is_empty());
    }
}

//! Which columns make the message key and which the message value.

use arrow_schema::SchemaRef;
use sluice_model::{Column, TableSchema};

use crate::options::ValueFields;

/// Columns of a key or of a value, under the names that the format writes.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    /// Positions in the table.
    pub(crate) columns: Vec<usize>,
    /// What the format sees.
    pub(crate) schema: SchemaRef,
}

impl Projection {
    fn new(schema: &TableSchema, columns: Vec<usize>, prefix: &str) -> Self {
        let renamed = columns.iter().map(|index| {
            let column = &schema.columns[*index];
            let name = column.name.strip_prefix(prefix).unwrap_or(&column.name);
            Column { name: name.to_owned(), ..column.clone() }
        });
        Self { schema: TableSchema::new(renamed.collect()).to_arrow(), columns }
    }

    /// The key: these columns without the prefix of their names.
    pub(crate) fn key(schema: &TableSchema, key: &[usize], prefix: Option<&str>) -> Self {
        Self::new(schema, key.to_vec(), prefix.unwrap_or_default())
    }

    /// The value: all columns, or those that are not in the key.
    pub(crate) fn value(schema: &TableSchema, key: &[usize], fields: ValueFields) -> Self {
        let all = 0..schema.columns.len();
        let columns = match fields {
            ValueFields::All => all.collect(),
            ValueFields::ExceptKey => all.filter(|index| !key.contains(index)).collect(),
        };
        Self::new(schema, columns, "")
    }
}

/// What is wrong with `key.fields-prefix`, if anything. Source: Flink's `KafkaConnectorOptionsUtil`.
pub(crate) fn check_prefix(prefix: Option<&str>, fields: ValueFields, key: &[&str]) -> Option<(String, &'static str)> {
    let prefix = prefix.filter(|prefix| !prefix.is_empty())?;
    if fields == ValueFields::All {
        return Some((
            "a key prefix is not allowed when option 'value.fields-include' is set to 'ALL'".to_owned(),
            "set it to 'EXCEPT_KEY' instead to avoid field overlaps",
        ));
    }
    let bare = key.iter().find(|name| !name.starts_with(prefix))?;
    Some((
        format!(
            "all fields of the key must be prefixed with '{prefix}' when option 'key.fields-prefix' is set, but '{bare}' is not"
        ),
        "rename the column or change the prefix",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::SqlType;

    fn table() -> TableSchema {
        TableSchema::new(vec![
            Column::new("k_id", SqlType::Int),
            Column::new("name", SqlType::STRING),
            Column::new("k_line", SqlType::Int),
        ])
    }

    fn names(projection: &Projection) -> Vec<String> {
        projection.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    #[test]
    fn the_key_loses_its_prefix_and_keeps_its_order() {
        assert_eq!(names(&Projection::key(&table(), &[2, 0], Some("k_"))), ["line", "id"]);
        assert_eq!(names(&Projection::key(&table(), &[0], None)), ["k_id"]);
    }

    #[test]
    fn the_value_may_leave_the_key_out() {
        assert_eq!(names(&Projection::value(&table(), &[2, 0], ValueFields::All)), ["k_id", "name", "k_line"]);
        assert_eq!(names(&Projection::value(&table(), &[2, 0], ValueFields::ExceptKey)), ["name"]);
    }

    #[test]
    fn a_prefix_needs_prefixed_names() {
        assert!(check_prefix(Some("k_"), ValueFields::ExceptKey, &["k_id"]).is_none());
        assert!(check_prefix(None, ValueFields::All, &["id"]).is_none());
        assert!(check_prefix(Some("k_"), ValueFields::All, &["k_id"]).is_some());
        assert!(check_prefix(Some("k_"), ValueFields::ExceptKey, &["id"]).is_some());
    }
}

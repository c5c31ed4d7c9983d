//! The question that a lookup asks, and whether the table can answer it.
//!
//! ```sql
//! SELECT (k.n - 1)::int4, (t."id")::int8, t."name"
//!   FROM unnest($1::int8[]) WITH ORDINALITY AS k(k0, n) JOIN "public"."customer" t ON t."id" = k.k0
//! ```

use sluice_model::{Column, Error, Result, SqlType, TableSchema, suggest};

use super::decode::Decoder;
use crate::catalog::{Found, TableName, Target, TargetColumn, id, quote};
use crate::encode::Wire;

/// How rows are asked for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) sql: String,
    /// Types in which the keys are sent.
    pub(super) keys: Vec<Wire>,
}

/// Plans the lookup of `schema` by `keys` in what was found as `name`.
///
/// # Errors
/// Everything that does not fit, at once.
pub(super) fn question(
    found: Found,
    name: &TableName,
    declared: &str,
    schema: &TableSchema,
    keys: &[usize],
) -> Result<Question> {
    let target = match found {
        Found::Table(target) => *target,
        Found::Nothing { others } => return Err(no_table(name, declared, &others)),
    };
    let mut problems = Vec::new();
    let mut columns = Vec::new();
    for column in &schema.columns {
        match answer(column, &target, declared) {
            Ok(found) => columns.push(found),
            Err(error) => problems.push(error),
        }
    }
    if let Some(error) = Error::many(problems) {
        return Err(error);
    }
    let selected: Vec<_> = columns.iter().map(selection).collect();
    let wires: Vec<Wire> = keys.iter().map(|key| columns[*key].1.clone()).collect();
    let arrays: Vec<_> = (1..).zip(&wires).map(|(number, wire)| format!("${number}::{}[]", wire.name())).collect();
    let names: Vec<_> = (0..keys.len()).map(|key| format!("k{key}")).collect();
    let conditions: Vec<_> = (0..).zip(keys).map(|(number, key)| equality(number, &columns[*key])).collect();
    let sql = format!(
        "SELECT (k.n - 1)::int4, {} FROM unnest({}) WITH ORDINALITY AS k({}, n) JOIN {} t ON {}",
        selected.join(", "),
        arrays.join(", "),
        names.join(", "),
        target.quoted(),
        conditions.join(" AND ")
    );
    Ok(Question { sql, keys: wires })
}

/// A text is sent as it is: a cast would take the blanks off the end of a `char(n)`.
fn selection((column, wire): &(&TargetColumn, Wire)) -> String {
    match column.type_id {
        id::TEXT | id::VARCHAR | id::BPCHAR => format!("t.{}", quote(&column.name)),
        _ => format!("(t.{})::{}", quote(&column.name), wire.name()),
    }
}

/// The column itself is compared, so that its index answers; what is compared with it has its type.
fn equality(number: usize, (column, wire): &(&TargetColumn, Wire)) -> String {
    let is_comparable = matches!(wire, Wire::Int2 | Wire::Int4 | Wire::Int8) || wire.id() == column.type_id;
    let cast = match column.type_id {
        _ if is_comparable => String::new(),
        // With a length, a key that is too long would be cut.
        id::BPCHAR => "::bpchar".to_owned(),
        id::VARCHAR => String::new(),
        _ => format!("::{}", column.type_name),
    };
    format!("t.{} = k.k{number}{cast}", quote(&column.name))
}

fn no_table(name: &TableName, declared: &str, others: &[String]) -> Error {
    let asked: Vec<_> = name.schema.iter().chain([&name.table]).map(|part| part.text.as_str()).collect();
    let asked = asked.join(".");
    let error = Error::fix(format!("table '{asked}' that table '{declared}' is looked up in does not exist"));
    match suggest(&asked, others.iter().map(String::as_str)) {
        Some(like) => error.with_hint(format!("did you mean '{like}'?")),
        None => error.with_hint("create it, or change 'table-name'"),
    }
}

fn answer<'a>(column: &Column, target: &'a Target, declared: &str) -> Result<(&'a TargetColumn, Wire)> {
    let Column { name, data_type, .. } = column;
    let Some(found) = target.columns.iter().find(|found| found.name == *name) else {
        let error = Error::fix(format!("'{}' has no column '{name}' of table '{declared}'", target.name()));
        return Err(match suggest(name, target.columns.iter().map(|column| column.name.as_str())) {
            Some(like) => error.with_hint(format!("did you mean '{like}'?")),
            None => error,
        });
    };
    if Decoder::new(data_type).is_none() || found.element_id.is_some() {
        return Err(Error::fix(format!("column '{name}' of table '{declared}' is {data_type}"))
            .because("arrays, maps, rows, intervals and times finer than microseconds cannot be looked up")
            .with_hint("leave the column out of the CREATE TABLE statement"));
    }
    match wire(data_type, found.type_id) {
        Some(wire) => Ok((found, wire)),
        None => Err(Error::fix(format!(
            "column '{name}' of table '{declared}' is {data_type}, and '{name}' in '{}' is {}",
            target.name(),
            found.type_name
        ))
        .with_hint("declare the column with the type that it has there")),
    }
}

/// The type in which values of `type_id` are sent for a column that is declared as `sql`; `None` if
/// that would change them.
fn wire(sql: &SqlType, type_id: u32) -> Option<Wire> {
    let (wire, from): (Wire, &[u32]) = match sql {
        SqlType::Boolean => (Wire::Bool, &[id::BOOL]),
        SqlType::TinyInt | SqlType::SmallInt => (Wire::Int2, &[id::INT2]),
        SqlType::Int => (Wire::Int4, &[id::INT4, id::INT2]),
        SqlType::BigInt => (Wire::Int8, &[id::INT8, id::INT4, id::INT2]),
        SqlType::Float => (Wire::Float4, &[id::FLOAT4]),
        SqlType::Double => (Wire::Float8, &[id::FLOAT8, id::FLOAT4]),
        SqlType::Decimal(..) => (Wire::Numeric, &[id::NUMERIC, id::INT8, id::INT4, id::INT2]),
        SqlType::Binary(_) | SqlType::VarBinary(_) => (Wire::Bytea, &[id::BYTEA]),
        SqlType::Date => (Wire::Date, &[id::DATE]),
        SqlType::Time(_) => (Wire::Time, &[id::TIME]),
        SqlType::Timestamp(_) => (Wire::Timestamp, &[id::TIMESTAMP]),
        SqlType::TimestampLtz(_) => (Wire::Timestamptz, &[id::TIMESTAMPTZ]),
        // Everything that is not bytes has a text.
        SqlType::Char(_) | SqlType::VarChar(_) => return (type_id != id::BYTEA).then_some(Wire::Text),
        _ => return None,
    };
    from.contains(&type_id).then_some(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_changed_on_their_way() {
        assert_eq!(wire(&SqlType::BigInt, id::INT4), Some(Wire::Int8));
        assert_eq!(wire(&SqlType::Int, id::INT8), None);
        assert_eq!(wire(&SqlType::Double, id::NUMERIC), None);
        assert_eq!(wire(&SqlType::Timestamp(3), id::TIMESTAMPTZ), None);
        assert_eq!(wire(&SqlType::STRING, id::JSONB), Some(Wire::Text));
    }
}

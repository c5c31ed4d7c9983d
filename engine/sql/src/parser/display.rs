//! Statements back to text, for `SHOW CREATE TABLE` and `SHOW CREATE VIEW`.
//!
//! The form is that of Flink's `ShowCreateUtil`: full paths, backticks everywhere, the primary key as a
//! named constraint, options sorted. The values of secret options are masked.
//!
//! ```text
//! CREATE TABLE `default_catalog`.`default_database`.`t` (
//!   `id` INT NOT NULL,
//!   CONSTRAINT `PK_id` PRIMARY KEY (`id`) NOT ENFORCED
//! )
//! WITH (
//!   'connector' = 'print'
//! )
//! ```

use std::fmt::Write;
use std::ops::ControlFlow;

use sluice_model::{Secret, SqlType, TableOptions};
use sqlparser::ast::{Expr, Ident, VisitMut, VisitorMut};

use super::ast::{
    ColumnDefinition, ColumnKind, ColumnType, CreateTable, CreateView, Distribution, Identifier, LikeClause,
    LikeFeature, LikeStrategy, ParsedExpr, PrimaryKey,
};
use super::reserved::is_unit;

/// The text of a `CREATE TABLE` that makes the same table, under its full `path`.
///
/// The masked values of secret options have to be filled in again. A `LIKE` that was not resolved is
/// printed as it was written.
pub fn format_create_table(table: &CreateTable, path: &[&str]) -> String {
    let temporary = if table.temporary { "TEMPORARY " } else { "" };
    let mut lines: Vec<String> = table.columns.iter().map(column).collect();
    if let Some(watermark) = &table.watermark {
        let path: Vec<&str> = watermark.column.iter().map(|part| part.value.as_str()).collect();
        lines.push(format!("  WATERMARK FOR {} AS {}", quote_path(&path), expression(&watermark.expr)));
    }
    lines.extend(table.primary_key.as_ref().map(primary_key));
    let elements = if lines.is_empty() { String::new() } else { format!(" (\n{}\n)", lines.join(",\n")) };
    let mut text = format!("CREATE {temporary}TABLE {}{elements}\n", quote_path(path));
    push_comment(&mut text, table.comment.as_deref());
    if let Some(distribution) = &table.distribution {
        text.push_str(&distributed(distribution));
    }
    if !table.partitioned_by.is_empty() {
        text.push_str(&format!("PARTITIONED BY ({})\n", names(&table.partitioned_by)));
    }
    text.push_str(&with_options(&table.options));
    text.push_str(&table.like.as_ref().map(like).unwrap_or_default());
    if let Some(query) = &table.as_query {
        text.push_str(&format!("AS {}\n", query.text));
    }
    text
}

/// The text of a `CREATE VIEW` under its full `path`, with the names of all its columns.
pub fn format_create_view(view: &CreateView, path: &[&str], columns: &[String]) -> String {
    let temporary = if view.temporary { "TEMPORARY " } else { "" };
    let columns: Vec<String> = columns.iter().map(|name| format!("  {}", quote(name))).collect();
    let mut text = format!("CREATE {temporary}VIEW {} (\n{}\n)\n", quote_path(path), columns.join(",\n"));
    push_comment(&mut text, view.comment.as_deref());
    text.push_str(&format!("AS {}\n", view.query.text));
    text
}

/// Flink's serialisable text of a type: `VARCHAR(2147483647)` where messages say `STRING`.
pub fn type_text(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::VarChar(length) => format!("VARCHAR({length})"),
        SqlType::VarBinary(length) => format!("VARBINARY({length})"),
        SqlType::TimestampLtz(precision) => format!("TIMESTAMP({precision}) WITH LOCAL TIME ZONE"),
        SqlType::Array(element) => format!("ARRAY<{}>", type_text(element)),
        SqlType::Map(key, value) => format!("MAP<{}, {}>", type_text(key), type_text(value)),
        SqlType::Row(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, field)| format!("{} {}", quote(name), type_text(field))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        other => other.to_string(),
    }
}

fn column(column: &ColumnDefinition) -> String {
    let mut text = format!("  {}", quote(&column.name.value));
    match &column.kind {
        ColumnKind::Physical(data_type) => text.push_str(&column_type(data_type)),
        ColumnKind::Computed(expr) => text.push_str(&format!(" AS {}", expression(expr))),
        ColumnKind::Metadata { data_type, from, is_virtual } => {
            text.push_str(&format!("{} METADATA", column_type(data_type)));
            if let Some(key) = from {
                text.push_str(&format!(" FROM {}", string(key)));
            }
            text.push_str(if *is_virtual { " VIRTUAL" } else { "" });
        }
        ColumnKind::NameOnly => {}
    }
    if let Some(comment) = column.comment.as_deref().filter(|comment| !comment.is_empty()) {
        text.push_str(&format!(" COMMENT {}", string(comment)));
    }
    text
}

fn column_type(data_type: &ColumnType) -> String {
    let nullability = if data_type.nullable { "" } else { " NOT NULL" };
    format!(" {}{nullability}", type_text(&data_type.sql_type))
}

fn primary_key(key: &PrimaryKey) -> String {
    let name = match &key.constraint {
        Some(name) => name.value.clone(),
        None => {
            let columns: Vec<&str> = key.columns.iter().map(|column| column.value.as_str()).collect();
            format!("PK_{}", columns.join("_"))
        }
    };
    format!("  CONSTRAINT {} PRIMARY KEY ({}) NOT ENFORCED", quote(&name), names(&key.columns))
}

fn distributed(distribution: &Distribution) -> String {
    let mut text = "DISTRIBUTED".to_owned();
    if !distribution.columns.is_empty() {
        let kind = distribution.kind.as_deref().unwrap_or_default();
        let space = if kind.is_empty() { "" } else { " " };
        text.push_str(&format!(" BY{space}{kind} ({})", names(&distribution.columns)));
    }
    if let Some(buckets) = distribution.buckets {
        // Writing to a String cannot fail.
        let _ = write!(text, " INTO {buckets} BUCKETS");
    }
    text.push('\n');
    text
}

fn like(clause: &LikeClause) -> String {
    let path: Vec<&str> = clause.source.parts.iter().map(|part| part.value.as_str()).collect();
    let options: Vec<String> = clause
        .options
        .iter()
        .map(|option| {
            let strategy = match option.strategy {
                LikeStrategy::Including => "INCLUDING",
                LikeStrategy::Excluding => "EXCLUDING",
                LikeStrategy::Overwriting => "OVERWRITING",
            };
            let feature = match option.feature {
                LikeFeature::All => "ALL",
                LikeFeature::Constraints => "CONSTRAINTS",
                LikeFeature::Distribution => "DISTRIBUTION",
                LikeFeature::Generated => "GENERATED",
                LikeFeature::Metadata => "METADATA",
                LikeFeature::Options => "OPTIONS",
                LikeFeature::Partitions => "PARTITIONS",
                LikeFeature::Watermarks => "WATERMARKS",
            };
            format!("  {strategy} {feature}")
        })
        .collect();
    let list = if options.is_empty() { String::new() } else { format!(" (\n{}\n)", options.join("\n")) };
    format!("LIKE {}{list}\n", quote_path(&path))
}

fn with_options(options: &TableOptions) -> String {
    let mut lines: Vec<String> = options
        .iter()
        .map(|option| {
            let shown = Secret::mask_option(&option.key, &option.value);
            format!("  {} = {}", string(&option.key), string(&shown))
        })
        .collect();
    lines.sort();
    if lines.is_empty() { String::new() } else { format!("WITH (\n{}\n)\n", lines.join(",\n")) }
}

fn push_comment(text: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
        text.push_str(&format!("COMMENT {}\n", string(comment)));
    }
}

/// An expression with every column in backticks.
fn expression(parsed: &ParsedExpr) -> String {
    struct Quoter;
    impl VisitorMut for Quoter {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let quote = |ident: &mut Ident| ident.quote_style = Some('`');
            match expr {
                // The unit in TIMESTAMPDIFF(DAY, a, b); a column of that name has its backticks already.
                Expr::Identifier(ident) if ident.quote_style.is_none() && is_unit(&ident.value) => {}
                Expr::Identifier(ident) => quote(ident),
                Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(quote),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut expr = parsed.expr.clone();
    let _ = VisitMut::visit(&mut expr, &mut Quoter);
    expr.to_string()
}

fn names(names: &[Identifier]) -> String {
    names.iter().map(|name| quote(&name.value)).collect::<Vec<_>>().join(", ")
}

fn quote_path(path: &[&str]) -> String {
    path.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".")
}

fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

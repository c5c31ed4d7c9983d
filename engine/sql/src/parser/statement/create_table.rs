//! `CREATE TABLE`.

use sluice_model::{Error, Position, Result};
use sqlparser::tokenizer::Token;

use super::super::ast::{
    ColumnDefinition, ColumnKind, CreateTable, Distribution, Identifier, PrimaryKey, Statement, Watermark,
};
use super::super::cursor::{Cursor, Tokens};
use super::super::types;
use super::{comment, if_not_exists, like, not_supported, table_check, with_options};

/// The inside of the parentheses.
#[derive(Default)]
struct Elements {
    columns: Vec<ColumnDefinition>,
    primary_key: Option<PrimaryKey>,
    watermark: Option<Watermark>,
}

/// Reads what follows `CREATE [TEMPORARY] TABLE`.
pub(super) fn parse(cursor: &mut Cursor<'_>, temporary: bool) -> Result<Statement> {
    let if_not_exists = if_not_exists(cursor)?;
    let name = cursor.path("the name of the table")?;
    let mut elements = Elements::default();
    if cursor.accept_symbol(&Token::LParen) {
        elements.read(cursor)?;
    }
    let comment = comment(cursor)?;
    let distribution = if cursor.next_is("DISTRIBUTED") { Some(distribution(cursor)?) } else { None };
    let partitioned_by = if cursor.accept("PARTITIONED") {
        cursor.expect("BY")?;
        cursor.identifiers("the name of a column")?
    } else {
        Vec::new()
    };
    if cursor.next_is("USING") {
        return Ok(not_supported("CREATE TABLE … USING CONNECTION", cursor));
    }
    let options = with_options(cursor)?;
    let like = if cursor.accept("LIKE") { Some(like::parse(cursor)?) } else { None };
    let as_query = if like.is_none() && cursor.accept("AS") { Some(cursor.query()?) } else { None };
    if cursor.next_symbol() != &Token::EOF {
        return Err(stray(cursor, like.is_some() || as_query.is_some()));
    }
    let Elements { columns, primary_key, watermark } = elements;
    let mut table = CreateTable {
        temporary,
        if_not_exists,
        name,
        columns,
        primary_key,
        watermark,
        comment,
        distribution,
        partitioned_by,
        options,
        like,
        as_query,
    };
    table_check::check(&table)?;
    table_check::key_columns_are_not_null(&mut table);
    Ok(Statement::CreateTable(table))
}

/// Something stands where the statement should have ended.
fn stray(cursor: &Cursor<'_>, ended: bool) -> Error {
    const ORDER: [&str; 6] = ["COMMENT", "DISTRIBUTED", "PARTITIONED", "WITH", "LIKE", "AS"];
    if let Some(clause) = ORDER.iter().find(|clause| cursor.next_is(clause)) {
        return Error::fix(format!("{clause} is at the wrong place"))
            .at(cursor.position())
            .with_hint("the order is: (columns) COMMENT DISTRIBUTED PARTITIONED BY WITH, and then LIKE or AS");
    }
    let expected = if ended { "the end of the statement" } else { "COMMENT, PARTITIONED, WITH, LIKE, AS" };
    let error = cursor.unexpected(expected);
    match cursor.next_symbol() {
        Token::LParen => error.with_hint("options are written WITH ('key' = 'value', …)"),
        _ => error,
    }
}

impl Elements {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        loop {
            self.element(cursor)?;
            if cursor.accept_symbol(&Token::Comma) {
                if cursor.next_symbol() == &Token::RParen {
                    return Err(Error::fix("expected another column but found ')'")
                        .at(cursor.position())
                        .with_hint("remove the comma before it"));
                }
                continue;
            }
            if cursor.accept_symbol(&Token::RParen) {
                return Ok(());
            }
            return Err(expected_next_element(cursor));
        }
    }

    fn element(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let position = cursor.position();
        if cursor.accept_all(&["WATERMARK", "FOR"]) {
            return self.watermark(cursor, position);
        }
        if cursor.next_is("CONSTRAINT") || cursor.accept_all(&["PRIMARY", "KEY"]) {
            let constraint = constraint_name(cursor)?;
            let columns = cursor.identifiers("the name of a column")?;
            not_enforced(cursor)?;
            return self.set_primary_key(PrimaryKey { constraint, columns, position });
        }
        if cursor.next_is("UNIQUE") {
            return Err(unique(cursor));
        }
        if cursor.next_symbol() == &Token::Comma {
            return Err(Error::fix("expected a column but found ','")
                .at(position)
                .with_hint("there is one comma too many"));
        }
        let column = self.column(cursor)?;
        self.columns.push(column);
        Ok(())
    }

    fn watermark(&mut self, cursor: &mut Cursor<'_>, position: Position) -> Result<()> {
        let column = cursor.path_of("the column of the watermark", 16)?.parts;
        cursor.expect("AS")?;
        let expr = cursor.expr()?;
        if self.watermark.is_some() {
            return Err(Error::fix("a table has one watermark at most").at(position));
        }
        self.watermark = Some(Watermark { column, expr, position });
        Ok(())
    }

    fn set_primary_key(&mut self, key: PrimaryKey) -> Result<()> {
        if self.primary_key.is_some() {
            return Err(Error::fix("the table has two primary keys")
                .at(key.position)
                .with_hint("a key of several columns is written PRIMARY KEY (a, b) NOT ENFORCED, once"));
        }
        self.primary_key = Some(key);
        Ok(())
    }

    fn column(&mut self, cursor: &mut Cursor<'_>) -> Result<ColumnDefinition> {
        let name = cursor.identifier("the name of a column")?;
        if cursor.accept("AS") {
            let kind = ColumnKind::Computed(cursor.expr()?);
            return Ok(ColumnDefinition { name, kind, comment: comment(cursor)? });
        }
        if matches!(cursor.next_symbol(), Token::Comma | Token::RParen) {
            return Ok(ColumnDefinition { name, kind: ColumnKind::NameOnly, comment: None });
        }
        let data_type = types::parse_type(&mut cursor.parser)?;
        if cursor.accept("METADATA") {
            let from = if cursor.accept("FROM") { Some(cursor.string("the key of the metadata")?) } else { None };
            let kind = ColumnKind::Metadata { data_type, from, is_virtual: cursor.accept("VIRTUAL") };
            return Ok(ColumnDefinition { name, kind, comment: comment(cursor)? });
        }
        self.inline_constraint(cursor, &name)?;
        let kind = ColumnKind::Physical(data_type);
        Ok(ColumnDefinition { name, kind, comment: comment(cursor)? })
    }

    /// `[CONSTRAINT name] PRIMARY KEY NOT ENFORCED` behind a column.
    fn inline_constraint(&mut self, cursor: &mut Cursor<'_>, column: &Identifier) -> Result<()> {
        let position = cursor.position();
        if cursor.next_is("UNIQUE") {
            return Err(unique(cursor));
        }
        if !cursor.next_is("CONSTRAINT") && !cursor.accept_all(&["PRIMARY", "KEY"]) {
            return Ok(());
        }
        let constraint = constraint_name(cursor)?;
        not_enforced(cursor)?;
        self.set_primary_key(PrimaryKey { constraint, columns: vec![column.clone()], position })
    }
}

/// `CONSTRAINT name PRIMARY KEY`; `PRIMARY KEY` alone has been read already.
fn constraint_name(cursor: &mut Cursor<'_>) -> Result<Option<Identifier>> {
    if !cursor.accept("CONSTRAINT") {
        return Ok(None);
    }
    let name = cursor.identifier("the name of the constraint")?;
    if cursor.next_is("UNIQUE") {
        return Err(unique(cursor));
    }
    cursor.expect_all(&["PRIMARY", "KEY"])?;
    Ok(Some(name))
}

fn unique(cursor: &Cursor<'_>) -> Error {
    Error::fix("UNIQUE is not supported").at(cursor.position()).with_hint("declare a PRIMARY KEY (…) NOT ENFORCED")
}

fn not_enforced(cursor: &mut Cursor<'_>) -> Result<()> {
    let position = cursor.position();
    if cursor.accept_all(&["NOT", "ENFORCED"]) {
        return Ok(());
    }
    let hint = "write PRIMARY KEY (…) NOT ENFORCED";
    let why = "the table's data belongs to another system, so its keys cannot be checked here";
    let what = if cursor.next_is("ENFORCED") {
        "a primary key cannot be ENFORCED"
    } else {
        "a primary key must be declared NOT ENFORCED"
    };
    Err(Error::fix(what).at(position).because(why).with_hint(hint))
}

/// Neither `,` nor `)` follows a column.
fn expected_next_element(cursor: &Cursor<'_>) -> Error {
    let error = cursor.unexpected("',' or ')'");
    for (word, hint) in [
        ("DEFAULT", "columns have no default here"),
        ("AUTO_INCREMENT", "remove it: the table's own system makes these values"),
        ("REFERENCES", "foreign keys are not declared here"),
        ("CHECK", "checks are not declared here"),
        ("UNSIGNED", "there are no unsigned types: use the next larger type"),
        ("NOT", "NOT NULL goes directly behind the type"),
        ("PRIMARY", "PRIMARY KEY NOT ENFORCED goes before COMMENT"),
        ("METADATA", "METADATA goes directly behind the type"),
    ] {
        if cursor.next_is(word) {
            return error.with_hint(hint);
        }
    }
    match cursor.next_symbol() {
        Token::Word(word) => match sluice_model::suggest(&word.value, ["COMMENT", "METADATA", "PRIMARY", "VIRTUAL"]) {
            Some(likely) if word.quote_style.is_none() && word.value.len() > 4 => {
                error.with_hint(format!("did you mean {likely}?"))
            }
            _ => error.with_hint(format!("is a comma missing before '{}'?", word.value)),
        },
        Token::EOF => error.with_hint("the list of columns is never closed: add the missing ')'"),
        _ => error,
    }
}

/// `DISTRIBUTED [BY [HASH | RANGE] (a, b)] [INTO n BUCKETS]`
fn distribution(cursor: &mut Cursor<'_>) -> Result<Distribution> {
    let position = cursor.position();
    cursor.expect("DISTRIBUTED")?;
    let mut distribution = Distribution { kind: None, columns: Vec::new(), buckets: None, position };
    if cursor.accept("BY") {
        distribution.kind = ["HASH", "RANGE"].into_iter().find(|kind| cursor.accept(kind)).map(str::to_owned);
        distribution.columns = cursor.identifiers("the name of a column")?;
    }
    if cursor.accept("INTO") {
        distribution.buckets = Some(buckets(cursor)?);
        cursor.expect("BUCKETS")?;
    }
    if distribution.columns.is_empty() && distribution.buckets.is_none() {
        return Err(cursor.unexpected("BY, INTO"));
    }
    Ok(distribution)
}

fn buckets(cursor: &mut Cursor<'_>) -> Result<u64> {
    let number = match cursor.next_symbol() {
        Token::Number(text, _) => text.parse::<u64>().ok().filter(|number| *number > 0),
        _ => None,
    };
    let Some(number) = number else { return Err(cursor.unexpected("the number of buckets")) };
    cursor.skip();
    Ok(number)
}

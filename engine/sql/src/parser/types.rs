//! SQL types as written in column definitions and casts.
//!
//! | text | type |
//! |---|---|
//! | `DECIMAL`, `DEC(5)`, `NUMERIC(5, 2)` | `DECIMAL(10, 0)`, `DECIMAL(5, 0)`, `DECIMAL(5, 2)` |
//! | `VARCHAR`, `STRING` | `VARCHAR(2147483647)` |
//! | `TIMESTAMP`, `TIMESTAMP(3) WITHOUT TIME ZONE` | `TIMESTAMP(6)`, `TIMESTAMP(3)` |
//! | `TIMESTAMP(3) WITH LOCAL TIME ZONE` | `TIMESTAMP_LTZ(3)` |
//! | `ROW<a INT, b STRING>`, `ROW(a INT)` | rows |
//! | `INT ARRAY`, `ARRAY<INT>` | arrays |
//!
//! Nullability inside arrays, maps and rows is read and not kept: [`SqlType`] has no room for it.

use sluice_model::{Error, Position, Result, SqlType, suggest};
use sqlparser::ast::DataType;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::ast::ColumnType;
use super::cursor::Tokens;
use super::dialect::FlinkDialect;
use super::lexer;

/// Types nested deeper than this are refused, so that no text can exhaust the stack.
const MAX_DEPTH: usize = 50;

const NAMES: [&str; 35] = [
    "ARRAY",
    "BIGINT",
    "BINARY",
    "BITMAP",
    "BOOLEAN",
    "BYTES",
    "CHAR",
    "CHARACTER",
    "DATE",
    "DEC",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "INTERVAL",
    "MAP",
    "MULTISET",
    "NULL",
    "NUMERIC",
    "RAW",
    "REAL",
    "ROW",
    "SMALLINT",
    "STRING",
    "STRUCTURED",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TINYINT",
    "VARBINARY",
    "VARCHAR",
    "VARIANT",
    "DESCRIPTOR",
    "NCHAR",
];

/// What people write who come from another database.
const FOREIGN: [(&str, &str); 16] = [
    ("BLOB", "BYTES"),
    ("BOOL", "BOOLEAN"),
    ("BYTEA", "BYTES"),
    ("DATETIME", "TIMESTAMP(3)"),
    ("FLOAT4", "FLOAT"),
    ("FLOAT8", "DOUBLE"),
    ("INT4", "INT"),
    ("INT8", "BIGINT"),
    ("JSON", "STRING"),
    ("JSONB", "STRING"),
    ("LONG", "BIGINT"),
    ("MEDIUMINT", "INT"),
    ("NUMBER", "DECIMAL"),
    ("TEXT", "STRING"),
    ("TIMESTAMPTZ", "TIMESTAMP_LTZ"),
    ("UUID", "STRING"),
];

/// The type that a `CAST` of a parsed query names.
///
/// Errors: a type of another dialect. Queries from [`parse`](super::parse) have none.
pub fn sql_type_of(data_type: &DataType) -> Result<SqlType> {
    parse_type_text(&data_type.to_string())
}

/// Reads a type from a text that has nothing else in it.
pub fn parse_type_text(text: &str) -> Result<SqlType> {
    let tokens = lexer::lex(text).map_err(|error| error.error)?;
    lexer::refuse_foreign(&tokens)?;
    let dialect = FlinkDialect::default();
    let tokens = tokens.iter().filter_map(lexer::Lexed::to_spanned).collect();
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let parsed = parse_type(&mut parser)?;
    if *parser.next_symbol() != Token::EOF {
        return Err(parser.unexpected("the end of the type"));
    }
    Ok(parsed.sql_type)
}

/// Reads a type with its nullability: `INT NOT NULL`.
pub(crate) fn parse_type(parser: &mut Parser<'_>) -> Result<ColumnType> {
    TypeParser { parser }.nullable_type(0)
}

/// Reads a type without nullability, as in `CAST(x AS INT)`.
pub(crate) fn parse_bare_type(parser: &mut Parser<'_>) -> Result<SqlType> {
    TypeParser { parser }.bare_type(0)
}

struct TypeParser<'a, 'b> {
    parser: &'a mut Parser<'b>,
}

impl TypeParser<'_, '_> {
    fn nullable_type(&mut self, depth: usize) -> Result<ColumnType> {
        let position = self.parser.position();
        let sql_type = self.bare_type(depth)?;
        let nullable = if self.parser.accept_all(&["NOT", "NULL"]) {
            false
        } else {
            self.parser.accept("NULL");
            true
        };
        Ok(ColumnType { sql_type, nullable, position })
    }

    fn bare_type(&mut self, depth: usize) -> Result<SqlType> {
        let position = self.parser.position();
        let too_deep = || Error::fix(format!("a type is nested deeper than {MAX_DEPTH} levels")).at(position);
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut sql_type = self.base_type(depth)?;
        let mut depth = depth;
        while self.parser.accept("ARRAY") {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(too_deep());
            }
            sql_type = SqlType::Array(Box::new(sql_type));
        }
        if self.parser.next_is("MULTISET") {
            return Err(not_supported("MULTISET", self.parser.position()));
        }
        Ok(sql_type)
    }

    fn base_type(&mut self, depth: usize) -> Result<SqlType> {
        let position = self.parser.position();
        let Token::Word(word) = self.parser.next_symbol() else { return Err(self.parser.unexpected("a type")) };
        if word.quote_style.is_some() {
            return Err(self.parser.unexpected("a type"));
        }
        let name = word.value.to_ascii_uppercase();
        let word = word.value.clone();
        self.parser.advance_token();
        Ok(match name.as_str() {
            "BOOLEAN" => SqlType::Boolean,
            "TINYINT" => SqlType::TinyInt,
            "SMALLINT" => SqlType::SmallInt,
            "INT" | "INTEGER" => SqlType::Int,
            "BIGINT" => SqlType::BigInt,
            "FLOAT" | "REAL" => SqlType::Float,
            "DOUBLE" => {
                self.parser.accept("PRECISION");
                SqlType::Double
            }
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "CHAR" | "CHARACTER" if self.parser.accept("VARYING") => self.var_char()?,
            "CHAR" | "CHARACTER" | "NCHAR" => SqlType::Char(self.length("CHAR")?.unwrap_or(1)),
            "VARCHAR" => self.var_char()?,
            "STRING" => SqlType::STRING,
            "BINARY" if self.parser.accept("VARYING") => self.var_binary()?,
            "BINARY" => SqlType::Binary(self.length("BINARY")?.unwrap_or(1)),
            "VARBINARY" => self.var_binary()?,
            "BYTES" => SqlType::BYTES,
            "DATE" => SqlType::Date,
            "TIME" => self.time()?,
            "TIMESTAMP" => self.timestamp(position)?,
            "TIMESTAMP_LTZ" => SqlType::TimestampLtz(self.precision("TIMESTAMP_LTZ")?.unwrap_or(6)),
            "INTERVAL" => self.interval()?,
            "ARRAY" => SqlType::Array(Box::new(self.in_angle_brackets(depth)?)),
            "MAP" => self.map(depth)?,
            "ROW" => self.row(depth)?,
            "NULL" => SqlType::Null,
            "MULTISET" | "RAW" | "STRUCTURED" | "VARIANT" | "BITMAP" | "DESCRIPTOR" => {
                return Err(not_supported(&name, position));
            }
            _ => return Err(unknown(&word, &name, position)),
        })
    }

    fn var_char(&mut self) -> Result<SqlType> {
        Ok(self.length("VARCHAR")?.map_or(SqlType::STRING, SqlType::VarChar))
    }

    fn var_binary(&mut self) -> Result<SqlType> {
        Ok(self.length("VARBINARY")?.map_or(SqlType::BYTES, SqlType::VarBinary))
    }

    fn decimal(&mut self) -> Result<SqlType> {
        if !self.parser.accept_symbol(&Token::LParen) {
            return Ok(SqlType::Decimal(10, 0));
        }
        let precision = self.number_within("the precision of DECIMAL", 1, 38)?;
        let scale = if self.parser.accept_symbol(&Token::Comma) {
            self.number_within("the scale of DECIMAL", 0, precision)?
        } else {
            0
        };
        self.parser.expect_symbol(&Token::RParen)?;
        let small = |number: u32| u8::try_from(number).unwrap_or(38);
        Ok(SqlType::Decimal(small(precision), small(scale)))
    }

    fn length(&mut self, name: &str) -> Result<Option<u32>> {
        if !self.parser.accept_symbol(&Token::LParen) {
            return Ok(None);
        }
        let length = self.number_within(&format!("the length of {name}"), 1, i32::MAX.unsigned_abs())?;
        self.parser.expect_symbol(&Token::RParen)?;
        Ok(Some(length))
    }

    fn precision(&mut self, name: &str) -> Result<Option<u8>> {
        if !self.parser.accept_symbol(&Token::LParen) {
            return Ok(None);
        }
        let precision = self.number_within(&format!("the precision of {name}"), 0, 9)?;
        self.parser.expect_symbol(&Token::RParen)?;
        Ok(Some(u8::try_from(precision).unwrap_or(9)))
    }

    fn number_within(&mut self, what: &str, low: u32, high: u32) -> Result<u32> {
        let position = self.parser.position();
        let Token::Number(text, _) = self.parser.next_symbol() else { return Err(self.parser.unexpected("a number")) };
        let text = text.clone();
        self.parser.advance_token();
        match text.parse::<u32>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(Error::fix(format!("{what} must be between {low} and {high}, but is {text}")).at(position)),
        }
    }

    fn time(&mut self) -> Result<SqlType> {
        let precision = self.precision("TIME")?.unwrap_or(0);
        if self.parser.accept("WITHOUT") {
            self.parser.expect_all(&["TIME", "ZONE"])?;
        }
        Ok(SqlType::Time(precision))
    }

    fn timestamp(&mut self, position: Position) -> Result<SqlType> {
        let precision = self.precision("TIMESTAMP")?.unwrap_or(6);
        if self.parser.accept("WITHOUT") {
            self.parser.expect_all(&["TIME", "ZONE"])?;
        } else if self.parser.accept_all(&["WITH", "LOCAL"]) {
            self.parser.expect_all(&["TIME", "ZONE"])?;
            return Ok(SqlType::TimestampLtz(precision));
        } else if self.parser.accept_all(&["WITH", "TIME", "ZONE"]) {
            return Err(not_supported("TIMESTAMP WITH TIME ZONE", position)
                .with_hint("use TIMESTAMP_LTZ, an instant that is shown in the session's time zone"));
        }
        Ok(SqlType::Timestamp(precision))
    }

    fn interval(&mut self) -> Result<SqlType> {
        const FIELDS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
        let from = self.interval_field(&FIELDS)?;
        let is_year_month = from < 2;
        if self.parser.accept("TO") {
            let rest = if is_year_month { &FIELDS[from + 1..2] } else { &FIELDS[from + 1..] };
            self.interval_field(rest)?;
        }
        Ok(if is_year_month { SqlType::IntervalYearMonth } else { SqlType::IntervalDaySecond })
    }

    fn interval_field(&mut self, fields: &[&str]) -> Result<usize> {
        for (index, field) in fields.iter().enumerate() {
            if self.parser.accept(field) {
                self.precision(field)?;
                return Ok(index);
            }
        }
        Err(self.parser.unexpected(&fields.join(", ")))
    }

    fn in_angle_brackets(&mut self, depth: usize) -> Result<SqlType> {
        self.parser.expect_symbol(&Token::Lt)?;
        let element = self.nullable_type(depth + 1)?;
        self.parser.expect_symbol(&Token::Gt)?;
        Ok(element.sql_type)
    }

    fn map(&mut self, depth: usize) -> Result<SqlType> {
        self.parser.expect_symbol(&Token::Lt)?;
        let key = self.nullable_type(depth + 1)?;
        self.parser.expect_symbol(&Token::Comma)?;
        let value = self.nullable_type(depth + 1)?;
        self.parser.expect_symbol(&Token::Gt)?;
        Ok(SqlType::Map(Box::new(key.sql_type), Box::new(value.sql_type)))
    }

    fn row(&mut self, depth: usize) -> Result<SqlType> {
        let close = if self.parser.accept_symbol(&Token::Lt) {
            Token::Gt
        } else if self.parser.accept_symbol(&Token::LParen) {
            Token::RParen
        } else {
            return Err(self.parser.unexpected("'<' or '('"));
        };
        let mut fields: Vec<(String, SqlType)> = Vec::new();
        loop {
            let name = self.parser.identifier("the name of a field")?;
            if fields.iter().any(|(known, _)| *known == name.value) {
                return Err(Error::fix(format!("the row has two fields called '{}'", name.value)).at(name.position));
            }
            let field = self.nullable_type(depth + 1)?;
            if matches!(self.parser.next_symbol(), Token::SingleQuotedString(_)) {
                self.parser.advance_token();
            }
            fields.push((name.value, field.sql_type));
            if !self.parser.accept_symbol(&Token::Comma) {
                break;
            }
        }
        self.parser.expect_symbol(&close)?;
        Ok(SqlType::Row(fields))
    }
}

fn not_supported(name: &str, position: Position) -> Error {
    Error::fix(format!("the type {name} is not supported yet")).at(position)
}

fn unknown(word: &str, name: &str, position: Position) -> Error {
    let error = Error::fix(format!("unknown type '{word}'")).at(position);
    let known = FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours);
    match known.or_else(|| suggest(name, NAMES)) {
        Some(likely) => error.with_hint(format!("did you mean {likely}?")),
        None => error.with_hint("the types are listed in the documentation of CREATE TABLE"),
    }
}

//! Reading a column from `information_schema.COLUMNS.COLUMN_TYPE`.

use crate::charset::Charset;
use crate::column::{MySqlColumn, MySqlType};
use crate::error::{DecodeError, Result};

impl MySqlColumn {
    /// Reads `COLUMN_TYPE` (`decimal(10,2) unsigned`, `enum('a','b')`) and `CHARACTER_SET_NAME` of one column.
    ///
    /// Both MySQL's form and MariaDB's, which still prints display widths and adds comments such as
    /// `/* mariadb-5.3 */`, are understood.
    pub fn parse(name: impl Into<String>, column_type: &str, charset: Option<&str>) -> Result<Self> {
        let name = name.into();
        let unknown =
            || DecodeError::unsupported(format!("column type `{column_type}` is not known")).in_column(name.clone());
        let (word, arguments, attributes) = split(column_type).ok_or_else(unknown)?;
        let kind = kind_of(&word).ok_or_else(unknown)?;
        let mut column = MySqlColumn::new(name.clone(), kind);
        column.unsigned = attributes.contains("unsigned") || attributes.contains("zerofill");
        column.charset = match kind {
            MySqlType::Binary | MySqlType::VarBinary | MySqlType::Blob => Charset::Binary,
            _ => charset.map_or(Charset::Utf8mb4, Charset::from_name),
        };
        match kind {
            MySqlType::Enum | MySqlType::Set => column.labels = labels(arguments).ok_or_else(unknown)?,
            _ => set_numbers(&mut column, arguments).ok_or_else(unknown)?,
        }
        column.is_boolean = word == "tinyint" && arguments.trim() == "1" || word.starts_with("bool");
        Ok(column)
    }
}

/// Splits `decimal(10,2) unsigned` into the word, what the brackets hold, and the lower-case rest.
fn split(column_type: &str) -> Option<(String, &str, String)> {
    let text = column_type.trim();
    let word_end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(word_end)?;
    let rest = rest.trim_start();
    let (arguments, attributes) = match rest.strip_prefix('(') {
        Some(inside) => inside.split_at_checked(closing_bracket(inside)?)?,
        None => ("", rest),
    };
    Some((word.to_ascii_lowercase(), arguments, attributes.to_ascii_lowercase()))
}

/// Offset of the bracket that closes the argument list, past any quoted label.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '\'' => quoted = !quoted,
            ')' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn kind_of(word: &str) -> Option<MySqlType> {
    Some(match word {
        "tinyint" | "bool" | "boolean" => MySqlType::TinyInt,
        "smallint" => MySqlType::SmallInt,
        "mediumint" => MySqlType::MediumInt,
        "int" | "integer" => MySqlType::Int,
        "bigint" => MySqlType::BigInt,
        "float" => MySqlType::Float,
        "double" | "real" => MySqlType::Double,
        "decimal" | "numeric" => MySqlType::Decimal,
        "year" => MySqlType::Year,
        "bit" => MySqlType::Bit,
        "date" => MySqlType::Date,
        "time" => MySqlType::Time,
        "datetime" => MySqlType::DateTime,
        "timestamp" => MySqlType::Timestamp,
        "char" => MySqlType::Char,
        "varchar" => MySqlType::VarChar,
        "tinytext" | "text" | "mediumtext" | "longtext" => MySqlType::Text,
        "binary" => MySqlType::Binary,
        "varbinary" => MySqlType::VarBinary,
        "tinyblob" | "blob" | "mediumblob" | "longblob" => MySqlType::Blob,
        "enum" => MySqlType::Enum,
        "set" => MySqlType::Set,
        "json" => MySqlType::Json,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" => MySqlType::Geometry,
        "vector" => MySqlType::Vector,
        "uuid" => MySqlType::Uuid,
        "inet4" => MySqlType::Inet4,
        "inet6" => MySqlType::Inet6,
        _ => return None,
    })
}

/// Puts the numbers of the brackets where the type keeps them, with MySQL's defaults when there are none.
fn set_numbers(column: &mut MySqlColumn, arguments: &str) -> Option<()> {
    let mut numbers = arguments.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::parse::<u32>);
    let first = numbers.next().transpose().ok()?;
    let second = numbers.next().transpose().ok()?;
    match column.kind {
        MySqlType::Decimal => {
            column.length = first.unwrap_or(10);
            column.decimals = u8::try_from(second.unwrap_or(0)).ok()?;
        }
        MySqlType::Time | MySqlType::DateTime | MySqlType::Timestamp => {
            column.decimals = u8::try_from(first.unwrap_or(0)).ok().filter(|digits| *digits <= 6)?;
        }
        MySqlType::Char | MySqlType::Binary | MySqlType::Bit => column.length = first.unwrap_or(1),
        MySqlType::VarChar | MySqlType::VarBinary | MySqlType::Vector => column.length = first.unwrap_or(0),
        _ => {}
    }
    Some(())
}

/// Reads `'a','it''s','tab\t'`.
fn labels(arguments: &str) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    let mut chars = arguments.trim().chars().peekable();
    while chars.next_if_eq(&'\'').is_some() {
        let mut label = String::new();
        loop {
            match chars.next()? {
                '\'' if chars.next_if_eq(&'\'').is_some() => label.push('\''),
                '\'' => break,
                '\\' => label.push(unescape(chars.next()?)),
                other => label.push(other),
            }
        }
        labels.push(label);
        while chars.next_if(|c| *c == ',' || c.is_whitespace()).is_some() {}
    }
    chars.next().is_none().then_some(labels)
}

fn unescape(c: char) -> char {
    match c {
        '0' => '\0',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> MySqlColumn {
        MySqlColumn::parse("c", text, None).unwrap()
    }

    #[test]
    fn reads_the_type_texts_of_both_servers() {
        for (text, expected) in [
            ("bigint unsigned", "BIGINT UNSIGNED"),
            ("int(10) unsigned zerofill", "INT UNSIGNED"),
            ("decimal(10,2)", "DECIMAL(10,2)"),
            ("datetime(6)", "DATETIME(6)"),
            ("timestamp /* mariadb-5.3 */", "TIMESTAMP"),
            ("varchar(20)", "VARCHAR(20)"),
            ("bit(1)", "BIT(1)"),
            ("longtext", "TEXT"),
        ] {
            assert_eq!(column(text).type_text(), expected);
        }
        assert!(column("tinyint(1)").is_boolean);
        assert!(!column("tinyint(4)").is_boolean);
    }

    #[test]
    fn labels_may_hold_quotes_commas_and_brackets() {
        assert_eq!(column(r"enum('a','it''s',')','x,y','\\')").labels, ["a", "it's", ")", "x,y", "\\"]);
        assert_eq!(column("set('')").labels, [""]);
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in ["", "frobnicate", "decimal(a)", "enum('a", "enum(a)", "decimal(10", "datetime(77)"] {
            assert!(MySqlColumn::parse("c", text, None).is_err(), "{text}");
        }
    }
}

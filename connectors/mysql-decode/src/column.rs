//! Columns as the caller declares them: the MySQL side, and the Arrow side it is decoded into.

use arrow_schema::DataType;

use crate::charset::Charset;

/// One column to decode: where it stands in the MySQL table, what it is there, and what it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetColumn {
    /// Ordinal in the MySQL table, from 0, counting invisible and generated columns too. Unused by result sets,
    /// whose columns come in the order of the target columns.
    pub source_index: usize,
    /// The column in MySQL.
    pub source: MySqlColumn,
    /// The Arrow type it is decoded into.
    pub target: DataType,
    /// Whether the target may be NULL. A zero date becomes NULL when it may, and an error when it may not.
    pub nullable: bool,
}

/// A column of a MySQL or MariaDB table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MySqlColumn {
    /// Its name, as declared.
    pub name: String,
    /// Its type, without attributes.
    pub kind: MySqlType,
    /// `UNSIGNED` (or `ZEROFILL`, which implies it). Numeric types only.
    pub unsigned: bool,
    /// The number in the type's brackets: characters of `CHAR` and `VARCHAR`, bytes of `BINARY` and `VARBINARY`, bits
    /// of `BIT`, total digits of `DECIMAL`. Otherwise 0.
    pub length: u32,
    /// Digits after the point: the scale of `DECIMAL`, the fractional second digits (0–6) of `TIME`, `DATETIME` and
    /// `TIMESTAMP`. Otherwise 0.
    pub decimals: u8,
    /// Character set of text types. Result sets arrive as utf8mb4 whatever it says here.
    pub charset: Charset,
    /// Labels of `ENUM` and `SET` in declaration order. Otherwise empty.
    pub labels: Vec<String>,
    /// Declared as `TINYINT(1)`, which is what `BOOLEAN` means. Informational: any TINYINT decodes to a Boolean.
    pub is_boolean: bool,
}

impl MySqlColumn {
    /// A column of `kind` without length, labels and sign, in utf8mb4.
    pub fn new(name: impl Into<String>, kind: MySqlType) -> Self {
        Self {
            name: name.into(),
            kind,
            unsigned: false,
            length: 0,
            decimals: 0,
            charset: Charset::Utf8mb4,
            labels: Vec::new(),
            is_boolean: false,
        }
    }

    /// The type as one would write it in DDL.
    pub fn type_text(&self) -> String {
        let name = self.kind.name();
        let sign = if self.unsigned { " UNSIGNED" } else { "" };
        match self.kind {
            MySqlType::Decimal => format!("{name}({},{}){sign}", self.length, self.decimals),
            MySqlType::Time | MySqlType::DateTime | MySqlType::Timestamp if self.decimals > 0 => {
                format!("{name}({})", self.decimals)
            }
            _ if self.length > 0 => format!("{name}({}){sign}", self.length),
            _ => format!("{name}{sign}"),
        }
    }
}

/// The types of MySQL and MariaDB, as far as decoding tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MySqlType {
    /// 1 byte.
    TinyInt,
    /// 2 bytes.
    SmallInt,
    /// 3 bytes.
    MediumInt,
    /// 4 bytes.
    Int,
    /// 8 bytes.
    BigInt,
    /// IEEE 754 single.
    Float,
    /// IEEE 754 double.
    Double,
    /// Exact, up to 65 digits.
    Decimal,
    /// 1901–2155 and 0000.
    Year,
    /// 1–64 bits.
    Bit,
    /// A day.
    Date,
    /// An interval of ±838:59:59.999999.
    Time,
    /// Date and time without a zone.
    DateTime,
    /// A point in time, stored in UTC.
    Timestamp,
    /// Text of fixed length; trailing spaces are not kept.
    Char,
    /// Text of bounded length.
    VarChar,
    /// `TINYTEXT` to `LONGTEXT`, and MariaDB's `JSON`.
    Text,
    /// Bytes of fixed length, filled up with zero bytes.
    Binary,
    /// Bytes of bounded length.
    VarBinary,
    /// `TINYBLOB` to `LONGBLOB`.
    Blob,
    /// One label of a list.
    Enum,
    /// Any number of labels of a list of at most 64.
    Set,
    /// MySQL's binary JSON.
    Json,
    /// Any spatial type. Not decoded.
    Geometry,
    /// MySQL 9's `VECTOR`: little-endian singles, decoded as their bytes.
    Vector,
    /// MariaDB's `UUID`.
    Uuid,
    /// MariaDB's `INET4`.
    Inet4,
    /// MariaDB's `INET6`.
    Inet6,
}

impl MySqlType {
    /// The keyword.
    pub fn name(self) -> &'static str {
        match self {
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::MediumInt => "MEDIUMINT",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Year => "YEAR",
            Self::Bit => "BIT",
            Self::Date => "DATE",
            Self::Time => "TIME",
            Self::DateTime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Char => "CHAR",
            Self::VarChar => "VARCHAR",
            Self::Text => "TEXT",
            Self::Binary => "BINARY",
            Self::VarBinary => "VARBINARY",
            Self::Blob => "BLOB",
            Self::Enum => "ENUM",
            Self::Set => "SET",
            Self::Json => "JSON",
            Self::Geometry => "GEOMETRY",
            Self::Vector => "VECTOR",
            Self::Uuid => "UUID",
            Self::Inet4 => "INET4",
            Self::Inet6 => "INET6",
        }
    }
}

//! Column types as they stand in a table map, with the width of their metadata.

use crate::cursor::{Cursor, Read};

/// Type of a column in row events (`enum_field_types` of the MySQL source).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the MySQL source")]
pub enum WireType {
    Tiny,
    Short,
    Long,
    Float,
    Double,
    Timestamp,
    LongLong,
    Int24,
    Date,
    Time,
    DateTime,
    Year,
    VarChar,
    Bit,
    Timestamp2,
    DateTime2,
    Time2,
    Vector,
    Json,
    NewDecimal,
    Enum,
    Set,
    Blob,
    /// `CHAR`, `BINARY`, and MariaDB's `UUID` and `INET`.
    String,
    Geometry,
    /// MariaDB's `COMPRESSED` columns.
    BlobCompressed,
    /// MariaDB's `COMPRESSED` columns.
    VarCharCompressed,
    /// Not known; nothing behind it in the table map can be read.
    Unknown(u8),
}

impl WireType {
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Tiny,
            2 => Self::Short,
            3 => Self::Long,
            4 => Self::Float,
            5 => Self::Double,
            7 => Self::Timestamp,
            8 => Self::LongLong,
            9 => Self::Int24,
            10 | 14 => Self::Date,
            11 => Self::Time,
            12 => Self::DateTime,
            13 => Self::Year,
            15 | 253 => Self::VarChar,
            16 => Self::Bit,
            17 => Self::Timestamp2,
            18 => Self::DateTime2,
            19 => Self::Time2,
            140 => Self::BlobCompressed,
            141 => Self::VarCharCompressed,
            242 => Self::Vector,
            245 => Self::Json,
            246 => Self::NewDecimal,
            247 => Self::Enum,
            248 => Self::Set,
            249..=252 => Self::Blob,
            254 => Self::String,
            255 => Self::Geometry,
            other => Self::Unknown(other),
        }
    }

    /// Reads the metadata of the type and resolves what `STRING` hides.
    ///
    /// | type | metadata |
    /// |---|---|
    /// | FLOAT, DOUBLE | bytes |
    /// | BLOB, JSON, GEOMETRY, VECTOR | bytes of the length prefix |
    /// | VARCHAR | maximal bytes |
    /// | BIT | whole bytes × 8 + bits |
    /// | NEWDECIMAL | digits × 256 + scale |
    /// | TIME2, DATETIME2, TIMESTAMP2 | fractional digits |
    /// | STRING | maximal bytes |
    /// | ENUM, SET | bytes of the index or the bit set |
    pub(crate) fn read_metadata(self, cursor: &mut Cursor<'_>) -> Read<(Self, u16)> {
        match self {
            Self::Float
            | Self::Double
            | Self::Blob
            | Self::BlobCompressed
            | Self::Json
            | Self::Geometry
            | Self::Vector
            | Self::Timestamp2
            | Self::DateTime2
            | Self::Time2 => Ok((self, cursor.u8()?.into())),
            Self::VarChar | Self::VarCharCompressed => Ok((self, cursor.u16_le()?)),
            Self::Bit => {
                let [bits, bytes] = cursor.array()?;
                Ok((self, u16::from(bytes) * 8 + u16::from(bits)))
            }
            Self::NewDecimal => cursor.array().map(|meta| (self, u16::from_be_bytes(meta))),
            Self::String | Self::Enum | Self::Set => cursor.array().map(real_string_type),
            _ => Ok((self, 0)),
        }
    }

    /// Whether SIGNEDNESS metadata has a bit for it. YEAR has one, BIT has none, in MySQL and in MariaDB.
    pub(crate) fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Tiny
                | Self::Short
                | Self::Int24
                | Self::Long
                | Self::LongLong
                | Self::NewDecimal
                | Self::Float
                | Self::Double
                | Self::Year
        )
    }

    /// Whether charset metadata counts it. Both count byte columns, MySQL counts VECTOR (but not JSON and spatial
    /// types), MariaDB counts spatial types, UUID and INET.
    pub(crate) fn is_character(self, mariadb: bool) -> bool {
        match self {
            Self::String
            | Self::VarChar
            | Self::Blob
            | Self::BlobCompressed
            | Self::VarCharCompressed
            | Self::Vector => true,
            Self::Geometry => mariadb,
            _ => false,
        }
    }
}

/// `STRING` metadata: the real type, and two length bits hidden inverted in bits 4 and 5 of its byte.
fn real_string_type([type_byte, len_byte]: [u8; 2]) -> (WireType, u16) {
    let len = u16::from(len_byte);
    if type_byte & 0x30 != 0x30 {
        let high = u16::from((type_byte & 0x30) ^ 0x30) << 4;
        return (WireType::from_code(type_byte | 0x30), len | high);
    }
    match WireType::from_code(type_byte) {
        real @ (WireType::Enum | WireType::Set) => (real, len),
        _ => (WireType::String, len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: u8, meta: &[u8]) -> (WireType, u16) {
        WireType::from_code(code).read_metadata(&mut Cursor::new(meta)).unwrap()
    }

    #[test]
    fn string_hides_enum_set_and_long_char() {
        assert_eq!(read(254, &[247, 1]), (WireType::Enum, 1));
        assert_eq!(read(254, &[248, 8]), (WireType::Set, 8));
        assert_eq!(read(254, &[254, 80]), (WireType::String, 80));
        assert_eq!(read(254, &[0xee, 0x08]), (WireType::String, 0x108));
        assert_eq!(read(254, &[0xce, 0xfc]), (WireType::String, 1020));
    }

    #[test]
    fn metadata_of_other_types() {
        assert_eq!(read(246, &[10, 2]), (WireType::NewDecimal, 10 << 8 | 2));
        assert_eq!(read(16, &[1, 1]), (WireType::Bit, 9));
        assert_eq!(read(15, &[0x2c, 1]), (WireType::VarChar, 300));
        assert_eq!(read(8, &[]), (WireType::LongLong, 0));
    }
}

//! Character sets: which one a collation id belongs to, and how its bytes become UTF-8.

/// The character set of a text column, as far as decoding is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// Raw bytes (`binary`, collation 63).
    Binary,
    /// `ascii`, read as UTF-8.
    Ascii,
    /// `utf8` / `utf8mb3`: UTF-8 of at most three bytes.
    Utf8mb3,
    /// `utf8mb4`: all of UTF-8.
    Utf8mb4,
    /// `latin1`, which in MySQL is Windows-1252 with its five unassigned bytes kept as C1 controls.
    Latin1,
    /// A character set this crate does not decode; the name is MySQL's.
    Other(&'static str),
}

impl Charset {
    /// By the name in `information_schema` (`CHARACTER_SET_NAME`).
    pub fn from_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "binary" => Self::Binary,
            "ascii" => Self::Ascii,
            "utf8" | "utf8mb3" => Self::Utf8mb3,
            "utf8mb4" => Self::Utf8mb4,
            "latin1" => Self::Latin1,
            _ => Self::Other(OTHERS.iter().find(|known| **known == name).copied().unwrap_or("unknown")),
        }
    }

    /// By collation id, as it stands in result-set columns and in table-map metadata.
    ///
    /// Ids below 576 mean the same in MySQL and MariaDB. MariaDB adds 1024 for its "nopad" twins and uses
    /// 2048–3327 for the UCA 14.0.0 collations, 256 ids per character set (MariaDB KB, "Supported Character Sets
    /// and Collations").
    pub fn from_collation(id: u16) -> Self {
        match id {
            1024..=2047 => Self::from_collation(id - 1024),
            2048..=2303 => Self::Utf8mb3,
            2304..=2559 => Self::Utf8mb4,
            2560..=2815 => Self::Other("ucs2"),
            2816..=3071 => Self::Other("utf16"),
            3072..=3327 => Self::Other("utf32"),
            63 => Self::Binary,
            11 | 65 => Self::Ascii,
            5 | 8 | 15 | 31 | 47..=49 | 94 => Self::Latin1,
            33 | 76 | 83 | 192..=215 | 223 | 576..=578 => Self::Utf8mb3,
            45 | 46 | 224..=247 | 255..=399 | 608..=610 => Self::Utf8mb4,
            _ => Self::Other(other_name(id)),
        }
    }

    /// MySQL's name of the character set.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Utf8mb3 => "utf8mb3",
            Self::Utf8mb4 => "utf8mb4",
            Self::Latin1 => "latin1",
            Self::Other(name) => name,
        }
    }
}

/// Character sets that are known by name only.
const OTHERS: &[&str] = &[
    "armscii8", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932", "dec8", "eucjpms",
    "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin2",
    "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32",
];

/// The character set of a collation whose bytes this crate does not decode.
fn other_name(id: u16) -> &'static str {
    match id {
        1 | 84 => "big5",
        2 | 9 | 21 | 27 | 77 => "latin2",
        3 | 69 => "dec8",
        4 | 80 => "cp850",
        6 | 72 => "hp8",
        7 | 74 => "koi8r",
        10 | 82 => "swe7",
        12 | 91 => "ujis",
        13 | 88 => "sjis",
        14 | 23 | 50..=52 => "cp1251",
        16 | 71 => "hebrew",
        18 | 89 => "tis620",
        19 | 85 => "euckr",
        20 | 41 | 42 | 79 => "latin7",
        22 | 75 => "koi8u",
        24 | 86 => "gb2312",
        25 | 70 => "greek",
        26 | 34 | 44 | 66 | 99 => "cp1250",
        28 | 87 => "gbk",
        29 | 58 | 59 => "cp1257",
        30 | 78 => "latin5",
        32 | 64 => "armscii8",
        35 | 90 | 128..=159 | 640..=642 => "ucs2",
        36 | 68 => "cp866",
        37 | 73 => "keybcs2",
        38 | 43 => "macce",
        39 | 53 => "macroman",
        40 | 81 => "cp852",
        54 | 55 | 101..=124 | 672..=674 => "utf16",
        56 | 62 => "utf16le",
        57 | 67 => "cp1256",
        60 | 61 | 160..=183 | 736..=738 => "utf32",
        92 | 93 => "geostd8",
        95 | 96 => "cp932",
        97 | 98 => "eucjpms",
        248..=250 => "gb18030",
        _ => "unknown",
    }
}

/// Appends the UTF-8 form of `latin1` bytes.
pub(crate) fn latin1_to_utf8(latin1: &[u8], out: &mut Vec<u8>) {
    if latin1.is_ascii() {
        out.extend_from_slice(latin1);
        return;
    }
    for &byte in latin1 {
        let mut utf8 = [0; 4];
        out.extend_from_slice(latin1_char(byte).encode_utf8(&mut utf8).as_bytes());
    }
}

fn latin1_char(byte: u8) -> char {
    match byte {
        0x80..=0x9f => CP1252_HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

/// Windows-1252, 0x80 to 0x9f; the holes 81, 8d, 8f, 90 and 9d stand for themselves.
const CP1252_HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_of_both_flavours_lead_to_their_charset() {
        for (id, name) in
            [(8, "latin1"), (28, "gbk"), (33, "utf8mb3"), (45, "utf8mb4"), (63, "binary"), (255, "utf8mb4")]
        {
            assert_eq!(Charset::from_collation(id).name(), name, "collation {id}");
        }
        assert_eq!(Charset::from_collation(1069), Charset::Utf8mb4, "utf8mb4_general_nopad_ci");
        assert_eq!(Charset::from_collation(2304), Charset::Utf8mb4, "utf8mb4_uca1400_ai_ci");
        assert_eq!(Charset::from_collation(9999), Charset::Other("unknown"));
    }

    #[test]
    fn latin1_is_windows_1252_with_its_holes_kept() {
        let mut out = Vec::new();
        latin1_to_utf8(b"a\xe9\x80\x81", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "aé€\u{81}");
    }
}

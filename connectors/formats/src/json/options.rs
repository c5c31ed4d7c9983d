//! Options of the format, without the `json.` in front.

use sluice_connector_api::{OptionReader, OptionValues};

sluice_connector_api::options! {
    /// Options of the `json` format.
    pub struct JsonOptions {
        /// When reading: a field that the JSON object does not have is an error instead of NULL.
        "fail-on-missing-field" => fail_on_missing_field: bool = false,
        /// When reading: a value that cannot be read becomes NULL, and a message that is not JSON is left out.
        "ignore-parse-errors" => ignore_parse_errors: bool = false,
        /// How timestamps look: `SQL` (`2020-12-30 12:13:14.123`) or `ISO-8601` (`2020-12-30T12:13:14.123`).
        "timestamp-format.standard" => timestamp_standard: TimestampStandard = TimestampStandard::Sql,
        /// What becomes of a map entry whose key is NULL: `FAIL`, `DROP`, or `LITERAL`.
        "map-null-key.mode" => map_null_key_mode: MapNullKeyMode = MapNullKeyMode::Fail,
        /// The key that is written for a NULL key with mode `LITERAL`.
        "map-null-key.literal" => map_null_key_literal: String = "null",
        /// Writes decimals without an exponent and with all places of their scale.
        "encode.decimal-as-plain-number" => decimal_as_plain_number: bool = false,
        /// Leaves fields out whose value is NULL.
        "encode.ignore-null-fields" => ignore_null_fields: bool = false,
        /// When reading: parse without building a tree. Accepted for compatibility; it is always so.
        "decode.json-parser.enabled" => json_parser_enabled: bool = true,
    }
}

/// How timestamps look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampStandard {
    /// A blank between date and time.
    Sql,
    /// A `T` between date and time.
    Iso8601,
}

impl OptionValues for TimestampStandard {
    const VALUES: &'static [(&'static str, Self)] = &[("SQL", Self::Sql), ("ISO-8601", Self::Iso8601)];
}

/// What becomes of a map entry whose key is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapNullKeyMode {
    /// The job fails.
    Fail,
    /// The entry is left out.
    Drop,
    /// A literal is written as the key.
    Literal,
}

impl OptionValues for MapNullKeyMode {
    const VALUES: &'static [(&'static str, Self)] =
        &[("FAIL", Self::Fail), ("DROP", Self::Drop), ("LITERAL", Self::Literal)];
}

impl JsonOptions {
    /// Checks what only shows when options are seen together.
    pub(super) fn validate(&self, reader: &mut OptionReader<'_>) {
        if self.fail_on_missing_field && self.ignore_parse_errors {
            reader.reject(
                "ignore-parse-errors",
                "fail-on-missing-field and ignore-parse-errors shouldn't both be true".to_owned(),
                "leave one of them out",
            );
        }
    }

    /// What to tell the user about options that only matter to readers.
    pub(super) fn notes_when_writing(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ignore_parse_errors {
            notes.push("'json.ignore-parse-errors' has no effect when writing: there is nothing to parse".to_owned());
        }
        if self.fail_on_missing_field {
            notes.push("'json.fail-on-missing-field' has no effect when writing: every column is there".to_owned());
        }
        notes
    }
}

//! JSON texts: reading them by path, and writing them.
//!
//! Clauses such as `ON EMPTY` come as string literals behind the plain arguments:
//!
//! | SQL | call |
//! |---|---|
//! | `JSON_VALUE(s, p)` | `json_value(s, p)` |
//! | `JSON_VALUE(s, p RETURNING t DEFAULT 'x' ON EMPTY ERROR ON ERROR)` | `json_value(s, p, CAST(NULL AS t), 'DEFAULT', 'x', 'ERROR', NULL)` |
//! | `JSON_QUERY(s, p WITH UNCONDITIONAL WRAPPER NULL ON EMPTY ERROR ON ERROR)` | `json_query(s, p, NULL, 'UNCONDITIONAL', 'NULL', 'ERROR')` |
//! | `JSON_EXISTS(s, p TRUE ON ERROR)` | `json_exists(s, p, 'TRUE')` |
//! | `JSON_OBJECT(KEY k VALUE v ABSENT ON NULL)` | `__json_object('ABSENT', k, v)` |
//! | `JSON_ARRAY(a, b NULL ON NULL)` | `__json_array('NULL', a, b)` |
//! | `JSON_ARRAYAGG(a ABSENT ON NULL)` | `__json_array_of('ABSENT', FALSE, array_agg(a))` |
//! | `s IS JSON OBJECT` | `__is_json(s, 'OBJECT')` |

mod path;
mod read;
mod write;

use std::fmt::Write;

use serde_json::Value;

use crate::function::Definition;

pub(crate) use write::marked_clause;

pub(crate) fn definitions() -> Vec<Definition> {
    [read::definitions(), write::definitions()].into_iter().flatten().collect()
}

/// Writes a value, the fields of objects in the order of their names.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write::write_quoted(name, out);
                out.push(':');
                write_sorted(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_sorted(item, out);
            }
            out.push(']');
        }
        Value::String(text) => write::write_quoted(text, out),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

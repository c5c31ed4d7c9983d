//! JSON texts: reading them by path, and writing them.
//!
//! Clauses such as `ON EMPTY` come as string literals behind the plain arguments:
//!
//! | SQL | call |
//! |---|---|
//! | `JSON_VALUE(s, p)` | `json_value(s, p)` |
//! | `JSON_VALUE(s, p DEFAULT 'x' ON EMPTY ERROR ON ERROR)` | `json_value(s, p, 'DEFAULT', 'x', 'ERROR', NULL)` |
//! | `JSON_VALUE(… RETURNING t)` | `CAST(json_value(…) AS t)` |
//! | `JSON_QUERY(s, p WITH UNCONDITIONAL WRAPPER NULL ON EMPTY ERROR ON ERROR)` | `json_query(s, p, 'UNCONDITIONAL', 'NULL', 'ERROR')` |
//! | `JSON_EXISTS(s, p TRUE ON ERROR)` | `json_exists(s, p, 'TRUE')` |
//! | `JSON_OBJECT(KEY k VALUE v ABSENT ON NULL)` | `__json_object('ABSENT', k, v)` |
//! | `JSON_ARRAY(a, b NULL ON NULL)` | `__json_array('NULL', a, b)` |
//! | `s IS JSON OBJECT` | `__is_json(s, 'OBJECT')` |

mod path;
mod read;
mod write;

use crate::function::Definition;

pub(crate) use write::marked_clause;

pub(crate) fn definitions() -> Vec<Definition> {
    [read::definitions(), write::definitions()].into_iter().flatten().collect()
}

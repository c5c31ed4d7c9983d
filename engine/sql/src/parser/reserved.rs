//! Words that are names only inside backticks.
//!
//! The list is Calcite's reserved words (SQL:2016 plus a few) and those that Flink adds.

/// Sorted, upper-case.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "ABS", "ALL", "ALLOCATE", "ALLOW", "ALTER", "AND", "ANY", "ARE", "ARRAY", "ARRAY_MAX_CARDINALITY", "AS",
    "ASENSITIVE", "ASYMMETRIC", "AT", "ATOMIC", "AUTHORIZATION", "AVG", "BEGIN", "BEGIN_FRAME", "BEGIN_PARTITION",
    "BETWEEN", "BIGINT", "BINARY", "BIT", "BLOB", "BOOLEAN", "BOTH", "BY", "CALL", "CALLED", "CARDINALITY",
    "CASCADED", "CASE", "CAST", "CEIL", "CEILING", "CHAR", "CHARACTER", "CHARACTER_LENGTH", "CHAR_LENGTH", "CHECK",
    "CLASSIFIER", "CLOB", "CLOSE", "COALESCE", "COLLATE", "COLLECT", "COLUMN", "COMMIT", "CONDITION", "CONNECT",
    "CONSTRAINT", "CONTAINS", "CONVERT", "CORR", "CORRESPONDING", "COUNT", "COVAR_POP", "COVAR_SAMP", "CREATE",
    "CROSS", "CUBE", "CUME_DIST", "CURRENT", "CURRENT_CATALOG", "CURRENT_DATE", "CURRENT_DEFAULT_TRANSFORM_GROUP",
    "CURRENT_PATH", "CURRENT_ROLE", "CURRENT_ROW", "CURRENT_SCHEMA", "CURRENT_TIME", "CURRENT_TIMESTAMP",
    "CURRENT_TRANSFORM_GROUP_FOR_TYPE", "CURRENT_USER", "CURSOR", "CYCLE", "DATE", "DAY", "DEALLOCATE", "DEC",
    "DECIMAL", "DECLARE", "DEFAULT", "DEFINE", "DELETE", "DENSE_RANK", "DEREF", "DESCRIBE", "DETERMINISTIC",
    "DISALLOW", "DISCONNECT", "DISTINCT", "DOUBLE", "DROP", "DYNAMIC", "EACH", "ELEMENT", "ELSE", "EMPTY", "END",
    "END_FRAME", "END_PARTITION", "EQUALS", "ESCAPE", "EVERY", "EXCEPT", "EXEC", "EXECUTE", "EXISTS", "EXP",
    "EXPLAIN", "EXTEND", "EXTERNAL", "EXTRACT", "FALSE", "FETCH", "FILTER", "FIRST_VALUE", "FLOAT", "FLOOR", "FOR",
    "FOREIGN", "FRAME_ROW", "FREE", "FROM", "FULL", "FUNCTION", "FUSION", "GET", "GLOBAL", "GRANT", "GROUP",
    "GROUPING", "GROUPS", "HAVING", "HOLD", "HOUR", "IDENTITY", "IMPORT", "IN", "INDICATOR", "INITIAL", "INNER",
    "INOUT", "INSENSITIVE", "INSERT", "INT", "INTEGER", "INTERSECT", "INTERSECTION", "INTERVAL", "INTO", "IS", "JOIN",
    "JSON_ARRAY", "JSON_ARRAYAGG", "JSON_EXISTS", "JSON_OBJECT", "JSON_OBJECTAGG", "JSON_QUERY", "JSON_VALUE", "LAG",
    "LANGUAGE", "LARGE", "LAST_VALUE", "LATERAL", "LEAD", "LEADING", "LEFT", "LIKE", "LIKE_REGEX", "LIMIT", "LN",
    "LOCAL", "LOCALTIME", "LOCALTIMESTAMP", "LOWER", "MATCH", "MATCHES", "MATCH_NUMBER", "MATCH_RECOGNIZE", "MAX",
    "MEASURES", "MEMBER", "MERGE", "METHOD", "MIN", "MINUS", "MINUTE", "MOD", "MODIFIES", "MONTH", "MULTISET",
    "NATIONAL", "NATURAL", "NCHAR", "NCLOB", "NEW", "NEXT", "NO", "NONE", "NORMALIZE", "NOT", "NTH_VALUE", "NTILE",
    "NULL", "NULLIF", "NUMERIC", "OCCURRENCES_REGEX", "OCTET_LENGTH", "OF", "OFFSET", "OLD", "OMIT", "ON", "ONE",
    "ONLY", "OPEN", "OR", "ORDER", "OUT", "OUTER", "OVER", "OVERLAPS", "OVERLAY", "PARAMETER", "PARTITION", "PATTERN",
    "PER", "PERCENT", "PERCENTILE_CONT", "PERCENTILE_DISC", "PERCENT_RANK", "PERIOD", "PERMUTE", "PORTION",
    "POSITION", "POSITION_REGEX", "POWER", "PRECEDES", "PRECISION", "PREPARE", "PREV", "PRIMARY", "PROCEDURE",
    "QUALIFY", "RANGE", "RANK", "READS", "REAL", "RECURSIVE", "REF", "REFERENCES", "REFERENCING", "REGR_AVGX",
    "REGR_AVGY", "REGR_COUNT", "REGR_INTERCEPT", "REGR_R2", "REGR_SLOPE", "REGR_SXX", "REGR_SXY", "REGR_SYY",
    "RELEASE", "RESET", "RESULT", "RETURN", "RETURNS", "REVOKE", "RIGHT", "ROLLBACK", "ROLLUP", "ROW", "ROWS",
    "ROW_NUMBER", "RUNNING", "SAVEPOINT", "SCOPE", "SCROLL", "SEARCH", "SECOND", "SEEK", "SELECT", "SENSITIVE",
    "SESSION_USER", "SET", "SHOW", "SIMILAR", "SKIP", "SMALLINT", "SOME", "SPECIFIC", "SPECIFICTYPE", "SQL",
    "SQLEXCEPTION", "SQLSTATE", "SQLWARNING", "SQRT", "START", "STATIC", "STDDEV_POP", "STDDEV_SAMP", "STREAM",
    "STRING", "SUBMULTISET", "SUBSET", "SUBSTRING", "SUBSTRING_REGEX", "SUCCEEDS", "SUM", "SYMMETRIC", "SYSTEM",
    "SYSTEM_TIME", "SYSTEM_USER", "TABLE", "TABLESAMPLE", "THEN", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ",
    "TIMEZONE_HOUR", "TIMEZONE_MINUTE", "TINYINT", "TO", "TRAILING", "TRANSLATE", "TRANSLATE_REGEX", "TRANSLATION",
    "TREAT", "TRIGGER", "TRIM", "TRIM_ARRAY", "TRUE", "TRUNCATE", "TRY_CAST", "UESCAPE", "UNION", "UNIQUE", "UNKNOWN",
    "UNNEST", "UPDATE", "UPPER", "UPSERT", "USER", "USING", "VALUE", "VALUES", "VALUE_OF", "VARBINARY", "VARCHAR",
    "VARYING", "VAR_POP", "VAR_SAMP", "VERSIONING", "WATERMARK", "WHEN", "WHENEVER", "WHERE", "WIDTH_BUCKET",
    "WINDOW", "WITH", "WITHIN", "WITHOUT", "YEAR",
];

/// Words that end or continue a query where an expression should have been.
#[rustfmt::skip]
const CLAUSE_WORDS: &[&str] = &[
    "AND", "AS", "BY", "ELSE", "END", "EXCEPT", "FETCH", "FOR", "FROM", "GROUP", "HAVING", "IN", "INTERSECT", "INTO",
    "IS", "JOIN", "LIKE", "LIMIT", "OFFSET", "ON", "OR", "ORDER", "SELECT", "THEN", "UNION", "VALUES", "WHEN",
    "WHERE", "WINDOW", "WITH",
];

/// Reserved words that start an expression.
#[rustfmt::skip]
const STARTS_EXPRESSION: &[&str] = &[
    "ARRAY", "CASE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "EXISTS", "FALSE",
    "INTERVAL", "LOCALTIME", "LOCALTIMESTAMP", "NOT", "NULL", "ROW", "SESSION_USER", "SYSTEM_USER", "TRUE", "USER",
];

/// Units of time that calls such as `TIMESTAMPDIFF(DAY, a, b)` take as their first argument.
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "CENTURY", "DAY", "DECADE", "HOUR", "MICROSECOND", "MILLENNIUM", "MILLISECOND", "MINUTE", "MONTH", "NANOSECOND",
    "QUARTER", "SECOND", "WEEK", "YEAR",
];

fn contains(list: &[&str], word: &str) -> bool {
    list.binary_search(&word.to_ascii_uppercase().as_str()).is_ok()
}

/// True for a word that needs backticks to be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    contains(RESERVED, word)
}

/// True for a word that structures a query.
pub(crate) fn is_clause_word(word: &str) -> bool {
    contains(CLAUSE_WORDS, word)
}

/// True for a reserved word that can start an expression without a `(` behind it.
pub(crate) fn starts_expression(word: &str) -> bool {
    contains(STARTS_EXPRESSION, word)
}

/// True for a unit of time.
pub(crate) fn is_unit(word: &str) -> bool {
    contains(UNITS, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_so_that_lookups_find_every_word() {
        for list in [RESERVED, CLAUSE_WORDS, STARTS_EXPRESSION, UNITS] {
            assert!(list.is_sorted());
            assert!(list.iter().all(|word| contains(list, &word.to_lowercase())));
        }
    }

    #[test]
    fn common_column_names_that_need_backticks() {
        for word in [
            "timestamp",
            "date",
            "time",
            "user",
            "value",
            "order",
            "group",
            "year",
            "month",
            "day",
            "hour",
            "offset",
            "partition",
            "count",
            "language",
            "table",
            "row",
            "result",
            "method",
        ] {
            assert!(is_reserved(word), "{word}");
        }
        for word in ["id", "name", "status", "type", "key", "data", "comment", "version", "metadata", "url", "price"] {
            assert!(!is_reserved(word), "{word}");
        }
    }
}

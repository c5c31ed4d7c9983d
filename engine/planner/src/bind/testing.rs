//! What tests of the rewrites share.

use sqlparser::ast::Query;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

/// The query that a text is.
pub(super) fn query_of(sql: &str) -> Query {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap();
    *parser.parse_query().unwrap()
}

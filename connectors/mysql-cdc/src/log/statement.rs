//! Statements in the log: which tables they touch, and how.
//!
//! Rows tell what changed in ROW format; statements tell what rows do not: a table was altered, emptied, dropped or
//! renamed, or somebody switched their session to another format.

/// What a statement does to tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `ALTER TABLE` that keeps rows and name.
    Alter,
    /// `ALTER TABLE` that empties, drops or exchanges partitions.
    DropRows,
    /// `TRUNCATE`.
    Truncate,
    /// `DROP TABLE`.
    Drop,
    /// `RENAME TABLE`, or `ALTER TABLE … RENAME`.
    Rename,
    /// `DROP DATABASE`; the table's name is empty.
    DropDatabase,
    /// Row changes logged as a statement.
    Dml,
}

/// A statement's effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    /// What it does.
    pub(crate) action: Action,
    /// To which tables: database and name.
    pub(crate) tables: Vec<(String, String)>,
}

/// A word or sign of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// An unquoted word.
    Word(String),
    /// A quoted name.
    Name(String),
    /// A literal; what it says does not matter.
    Literal,
    /// A sign.
    Sign(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Name(text) => Some(text),
            Self::Literal | Self::Sign(_) => None,
        }
    }
}

/// The effect of a statement on tables; `None` if it has none that matters to a reader of rows.
pub(crate) fn effect(sql: &str, default_database: &str) -> Option<Effect> {
    let tokens = tokens(sql);
    let mut rest = tokens.as_slice();
    // MariaDB: SET STATEMENT x = y FOR …
    if rest.first()?.is("SET") && rest.get(1)?.is("STATEMENT") {
        let at = rest.iter().position(|token| token.is("FOR"))?;
        rest = &rest[at + 1..];
    }
    let verb = rest.first()?;
    let body = &rest[1..];
    let one = |action, body: &[Token]| Some(Effect { action, tables: vec![table_at(body, default_database)?.0] });
    if verb.is("ALTER") {
        let body = skip_words(body, &["ONLINE", "IGNORE"]);
        let body = body.strip_prefix_word("TABLE")?;
        let body = skip_words(body, &["IF", "EXISTS"]);
        return alter(body, default_database);
    }
    if verb.is("TRUNCATE") {
        return one(Action::Truncate, skip_words(body, &["TABLE"]));
    }
    if verb.is("DROP") {
        if let Some(body) = body.strip_prefix_word("DATABASE").or_else(|| body.strip_prefix_word("SCHEMA")) {
            let name = skip_words(body, &["IF", "EXISTS"]).first()?.name()?.to_owned();
            return Some(Effect { action: Action::DropDatabase, tables: vec![(name, String::new())] });
        }
        let body = body.strip_prefix_word("TABLE").or_else(|| body.strip_prefix_word("TABLES"))?;
        let tables = table_list(skip_words(body, &["IF", "EXISTS"]), default_database);
        return Some(Effect { action: Action::Drop, tables });
    }
    if verb.is("RENAME") {
        let body = body.strip_prefix_word("TABLE").or_else(|| body.strip_prefix_word("TABLES"))?;
        return Some(Effect { action: Action::Rename, tables: renamed(body, default_database) });
    }
    dml(verb, body, default_database)
}

trait StripWord {
    fn strip_prefix_word(&self, word: &str) -> Option<&Self>;
}

impl StripWord for [Token] {
    fn strip_prefix_word(&self, word: &str) -> Option<&Self> {
        self.split_first().filter(|(first, _)| first.is(word)).map(|(_, rest)| rest)
    }
}

fn skip_words<'a>(mut tokens: &'a [Token], words: &[&str]) -> &'a [Token] {
    while let Some((first, rest)) = tokens.split_first()
        && words.iter().any(|word| first.is(word))
    {
        tokens = rest;
    }
    tokens
}

/// `name` or `database.name` at the front, and what follows.
fn table_at<'a>(tokens: &'a [Token], default_database: &str) -> Option<((String, String), &'a [Token])> {
    let first = tokens.first()?.name()?.to_owned();
    if tokens.get(1) == Some(&Token::Sign('.')) {
        let name = tokens.get(2)?.name()?.to_owned();
        return Some(((first, name), &tokens[3..]));
    }
    Some(((default_database.to_owned(), first), &tokens[1..]))
}

fn table_list(mut tokens: &[Token], default_database: &str) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    while let Some((table, rest)) = table_at(tokens, default_database) {
        tables.push(table);
        match rest.split_first() {
            Some((Token::Sign(','), more)) => tokens = more,
            _ => break,
        }
    }
    tables
}

fn renamed(mut tokens: &[Token], default_database: &str) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    tokens = skip_words(tokens, &["IF", "EXISTS"]);
    while let Some((table, rest)) = table_at(tokens, default_database) {
        tables.push(table);
        match rest.iter().position(|token| token.is("TO") || *token == Token::Sign(',')) {
            Some(at) => tokens = &rest[at + 1..],
            None => break,
        }
    }
    tables
}

fn alter(body: &[Token], default_database: &str) -> Option<Effect> {
    let (table, rest) = table_at(body, default_database)?;
    let mut effect = Effect { action: Action::Alter, tables: vec![table] };
    for (at, token) in rest.iter().enumerate() {
        let next = rest.get(at + 1);
        let next_is = |words: &[&str]| next.is_some_and(|next| words.iter().any(|word| next.is(word)));
        if token.is("RENAME") && !next_is(&["COLUMN", "INDEX", "KEY"]) {
            let target = skip_words(&rest[at + 1..], &["TO", "AS"]);
            effect.tables.extend(table_at(target, default_database).map(|(table, _)| table));
            effect.action = Action::Rename;
            break;
        }
        if (token.is("TRUNCATE") || token.is("DROP") || token.is("EXCHANGE")) && next_is(&["PARTITION"]) {
            effect.action = Action::DropRows;
        }
    }
    Some(effect)
}

/// Row changes as a statement: every table that it names in front of its conditions counts.
fn dml(verb: &Token, body: &[Token], default_database: &str) -> Option<Effect> {
    let noise = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO", "FROM", "CONCURRENT"];
    let tables = if verb.is("INSERT") || verb.is("REPLACE") || verb.is("UPDATE") || verb.is("DELETE") {
        let body = skip_words(body, &noise);
        let mut tables = table_list(body, default_database);
        // DELETE a, b FROM …, UPDATE a JOIN b …: names behind FROM and JOIN count too.
        for (at, token) in body.iter().enumerate() {
            if token.is("JOIN") || token.is("FROM") {
                tables.extend(table_list(&body[at + 1..], default_database));
            }
        }
        tables
    } else if verb.is("LOAD") {
        let at = body.iter().position(|token| token.is("TABLE"))?;
        table_list(&body[at + 1..], default_database)
    } else {
        return None;
    };
    Some(Effect { action: Action::Dml, tables })
}

/// Enough of a statement to know its tables; long literals are passed over.
fn tokens(sql: &str) -> Vec<Token> {
    const ENOUGH: usize = 4096;
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next()
        && tokens.len() < ENOUGH
    {
        rest = match c {
            '`' | '"' | '\'' => {
                let (text, tail) = quoted(rest, c);
                tokens.push(if c == '\'' { Token::Literal } else { Token::Name(text) });
                tail
            }
            '#' => rest.find('\n').map_or("", |end| &rest[end..]),
            '-' if rest.starts_with("-- ") || rest.starts_with("--\n") => {
                rest.find('\n').map_or("", |end| &rest[end..])
            }
            '/' if rest.starts_with("/*!") || rest.starts_with("/*M!") => {
                // A comment that the server executes, behind a version number.
                rest[2..].trim_start_matches(['M', '!']).trim_start_matches(|c: char| c.is_ascii_digit())
            }
            '/' if rest.starts_with("/*") => rest.find("*/").map_or("", |end| &rest[end + 2..]),
            '*' if rest.starts_with("*/") => &rest[2..],
            _ if c.is_whitespace() => &rest[c.len_utf8()..],
            _ if c.is_alphanumeric() || c == '_' || c == '$' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            _ => {
                tokens.push(Token::Sign(c));
                &rest[c.len_utf8()..]
            }
        };
    }
    tokens
}

/// A quoted text at the front, with doubled quotes and backslashes understood, and what follows.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            content.extend(chars.next().map(|(_, escaped)| escaped));
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                content.push(quote);
            } else {
                return (content, &text[at + quote.len_utf8()..]);
            }
        } else {
            content.push(c);
        }
    }
    (content, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sql: &str) -> String {
        match effect(sql, "shop") {
            None => "-".to_owned(),
            Some(effect) => {
                let tables: Vec<String> =
                    effect.tables.iter().map(|(database, table)| format!("{database}.{table}")).collect();
                format!("{:?} {}", effect.action, tables.join(" "))
            }
        }
    }

    #[test]
    fn ddl_names_its_tables() {
        assert_eq!(seen("ALTER TABLE orders ADD COLUMN x INT AFTER id"), "Alter shop.orders");
        assert_eq!(seen("alter online table if exists `my``db` . `or.ders` drop column a"), "Alter my`db.or.ders");
        assert_eq!(seen("/* app */ ALTER /*!80000 TABLE */ a.b -- c\n RENAME TO c.d"), "Rename a.b c.d");
        assert_eq!(seen("ALTER TABLE t RENAME COLUMN a TO b"), "Alter shop.t");
        assert_eq!(seen("ALTER TABLE t TRUNCATE PARTITION p0"), "DropRows shop.t");
        assert_eq!(seen("TRUNCATE orders"), "Truncate shop.orders");
        assert_eq!(seen("DROP TABLE IF EXISTS a, b.c /* generated by server */"), "Drop shop.a b.c");
        assert_eq!(seen("RENAME TABLE a TO b, c.d TO e"), "Rename shop.a shop.b c.d shop.e");
        assert_eq!(seen("DROP DATABASE IF EXISTS shop"), "DropDatabase shop.");
        assert_eq!(seen("SET STATEMENT max_statement_time=1 FOR TRUNCATE TABLE x"), "Truncate shop.x");
    }

    #[test]
    fn rows_changed_by_statements_are_noticed() {
        assert_eq!(seen("INSERT IGNORE INTO t (a) VALUES ('DROP TABLE x')"), "Dml shop.t");
        assert_eq!(seen("DELETE FROM a.t WHERE id = 1"), "Dml a.t");
        assert_eq!(seen("UPDATE a JOIN b ON a.x = b.x SET a.y = 1"), "Dml shop.a shop.b");
        assert_eq!(seen("LOAD DATA LOCAL INFILE 'f' INTO TABLE t FIELDS TERMINATED BY ','"), "Dml shop.t");
    }

    #[test]
    fn everything_else_is_none_of_our_business() {
        for sql in [
            "BEGIN",
            "COMMIT",
            "CREATE TABLE t (a INT)",
            "GRANT SELECT ON t TO u",
            "",
            "''",
            "FLUSH TABLES",
            "DROP VIEW v",
        ] {
            assert_eq!(seen(sql), "-", "{sql}");
        }
    }

    #[test]
    fn broken_text_does_no_harm() {
        for sql in
            ["ALTER TABLE `", "DROP TABLE a,", "RENAME TABLE a TO", "/* never closed", "ALTER", "\"\\", "é🙂 `é`"]
        {
            let _ = effect(sql, "shop");
        }
    }
}

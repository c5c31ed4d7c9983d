//! Hints: `t /*+ OPTIONS('k'='v') */` after a table's name, `SELECT /*+ STATE_TTL('t'='1d') */` after SELECT.
//!
//! sqlparser has no room for them, so they travel beside the query, keyed by the place of the token
//! they follow. Nothing is dropped silently: an unknown hint, a hint at a place that takes none, and a
//! hint that no part of the query claims are errors.

use std::collections::BTreeMap;

use sluice_model::{Error, Position, Result, TableOption, TableOptions, suggest};
use sqlparser::ast::{ObjectName, ObjectNamePart, Select};
use sqlparser::tokenizer::Token;

use super::ast::Identifier;
use super::lexer::{Lexed, Lexeme, position_of};

/// The hints of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// By the place of the last part of the table's name.
    tables: BTreeMap<Position, TableHint>,
    /// By the place of the word `SELECT`.
    queries: BTreeMap<Position, Vec<QueryHint>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TableHint {
    options: TableOptions,
    position: Position,
}

/// A hint after `SELECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryHint {
    /// Which one.
    pub kind: QueryHintKind,
    /// `'key' = 'value'` arguments.
    pub options: TableOptions,
    /// Arguments that are names of tables.
    pub tables: Vec<Identifier>,
    /// Place of its name.
    pub position: Position,
}

/// The hints that can follow `SELECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryHintKind {
    /// How long join and aggregation state is kept, per input.
    StateTtl,
    /// How a lookup join asks.
    Lookup,
    /// Join by sending one side everywhere.
    Broadcast,
    /// Hash join.
    ShuffleHash,
    /// Sort-merge join.
    ShuffleMerge,
    /// Nested-loop join.
    NestLoop,
    /// One operator for several joins.
    MultiJoin,
}

const QUERY_HINTS: [(&str, QueryHintKind); 7] = [
    ("STATE_TTL", QueryHintKind::StateTtl),
    ("LOOKUP", QueryHintKind::Lookup),
    ("BROADCAST", QueryHintKind::Broadcast),
    ("SHUFFLE_HASH", QueryHintKind::ShuffleHash),
    ("SHUFFLE_MERGE", QueryHintKind::ShuffleMerge),
    ("NEST_LOOP", QueryHintKind::NestLoop),
    ("MULTI_JOIN", QueryHintKind::MultiJoin),
];

impl Hints {
    /// True without any hint.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.queries.is_empty()
    }

    /// The `OPTIONS` that follow this mention of a table.
    pub fn table_options(&self, table: &ObjectName) -> Option<&TableOptions> {
        Some(&self.tables.get(&key_of(table)?)?.options)
    }

    /// The hints that follow this `SELECT`.
    pub fn query_hints(&self, select: &Select) -> &[QueryHint] {
        let place = position_of(select.select_token.0.span.start);
        self.queries.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Takes the hints of the part of a statement from `start` up to `end`.
    pub(crate) fn take_range(&mut self, start: Position, end: Position) -> Self {
        Self { tables: take_range(&mut self.tables, start, end), queries: take_range(&mut self.queries, start, end) }
    }

    /// Takes the `OPTIONS` that follow the name at `place`.
    pub(crate) fn take_table(&mut self, place: Position) -> Option<TableOptions> {
        self.tables.remove(&place).map(|hint| hint.options)
    }

    /// Reports hints that no table and no `SELECT` of the query claims.
    pub(crate) fn refuse_unclaimed(&self, is_table: impl Fn(Position) -> bool) -> Result<()> {
        match self.tables.iter().find(|(place, _)| !is_table(**place)) {
            Some((_, hint)) => Err(misplaced_options(hint.position)),
            None => Ok(()),
        }
    }

    /// Reports the first hint of what nobody took.
    pub(crate) fn refuse_all(&self) -> Result<()> {
        self.refuse_unclaimed(|_| false)?;
        match self.queries.values().flatten().next() {
            Some(hint) => Err(Error::fix("a hint has no effect here").at(hint.position)),
            None => Ok(()),
        }
    }
}

fn take_range<T>(map: &mut BTreeMap<Position, T>, start: Position, end: Position) -> BTreeMap<Position, T> {
    let mut from_start = map.split_off(&start);
    let mut behind = from_start.split_off(&end);
    map.append(&mut behind);
    from_start
}

/// Place of the last part of a table's name.
pub(crate) fn key_of(table: &ObjectName) -> Option<Position> {
    match table.0.last()? {
        ObjectNamePart::Identifier(ident) => Some(position_of(ident.span.start)),
        ObjectNamePart::Function(_) => None,
    }
}

/// Separates hints from the other tokens of a statement.
pub(crate) fn extract(tokens: &[Lexed]) -> Result<(Vec<Lexed>, Hints)> {
    let mut plain: Vec<Lexed> = Vec::with_capacity(tokens.len());
    let mut hints = Hints::default();
    for lexed in tokens {
        let Lexeme::Hint(inside) = &lexed.lexeme else {
            plain.push(lexed.clone());
            continue;
        };
        let parsed = parse(inside, lexed.position())?;
        match plain.last() {
            Some(before) if before.is_word("SELECT") => {
                let known = parsed.into_iter().map(query_hint).collect::<Result<Vec<_>>>()?;
                if hints.queries.insert(before.position(), known).is_some() {
                    return Err(Error::fix("a SELECT takes one hint comment only")
                        .at(lexed.position())
                        .with_hint("write them in one comment: /*+ A(…), B(…) */"));
                }
            }
            Some(before) if matches!(before.token(), Some(Token::Word(_))) => {
                let options = table_hint(parsed)?;
                let hint = TableHint { options, position: lexed.position() };
                if hints.tables.insert(before.position(), hint).is_some() {
                    return Err(Error::fix("a table takes one hint comment only").at(lexed.position()));
                }
            }
            _ => return Err(misplaced_options(lexed.position())),
        }
    }
    Ok((plain, hints))
}

fn misplaced_options(position: Position) -> Error {
    Error::fix("a hint has no effect here")
        .at(position)
        .with_hint("OPTIONS(…) goes directly after a table's name, before its alias; other hints go after SELECT")
}

struct RawHint {
    name: String,
    position: Position,
    options: TableOptions,
    tables: Vec<Identifier>,
}

fn query_hint(raw: RawHint) -> Result<QueryHint> {
    match QUERY_HINTS.iter().find(|(name, _)| raw.name.eq_ignore_ascii_case(name)) {
        Some((_, kind)) => {
            Ok(QueryHint { kind: *kind, options: raw.options, tables: raw.tables, position: raw.position })
        }
        None if raw.name.eq_ignore_ascii_case("OPTIONS") => Err(misplaced_options(raw.position)),
        None => Err(unknown(&raw, QUERY_HINTS.iter().map(|(name, _)| *name))),
    }
}

fn table_hint(raw: Vec<RawHint>) -> Result<TableOptions> {
    let mut options = TableOptions::default();
    for hint in raw {
        if QUERY_HINTS.iter().any(|(name, _)| hint.name.eq_ignore_ascii_case(name)) {
            return Err(misplaced_options(hint.position));
        }
        if !hint.name.eq_ignore_ascii_case("OPTIONS") {
            return Err(unknown(&hint, ["OPTIONS"]));
        }
        if let Some(name) = hint.tables.first() {
            return Err(Error::fix("the hint OPTIONS takes 'key' = 'value' pairs").at(name.position));
        }
        hint.options.iter().for_each(|option| options.set(option.clone()));
    }
    Ok(options)
}

fn unknown<'a>(hint: &RawHint, known: impl IntoIterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let error = Error::fix(format!("unknown hint '{}'", hint.name)).at(hint.position);
    match suggest(&hint.name, known.iter().copied()) {
        Some(likely) => error.with_hint(format!("did you mean {likely}?")),
        None => error.with_hint(format!("known here: {}", known.join(", "))),
    }
}

/// `NAME(argument, …) [,] NAME(…) …`
fn parse(tokens: &[Lexed], position: Position) -> Result<Vec<RawHint>> {
    let mut rest = tokens;
    let mut hints = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        if first.is(&Token::Comma) && !hints.is_empty() {
            rest = after;
            continue;
        }
        let Some(Token::Word(word)) = first.token() else {
            return Err(Error::fix("expected the name of a hint").at(first.position()));
        };
        let mut hint = RawHint {
            name: word.value.clone(),
            position: first.position(),
            options: TableOptions::default(),
            tables: Vec::new(),
        };
        rest = match after.split_first() {
            Some((open, arguments)) if open.is(&Token::LParen) => parse_arguments(&mut hint, arguments)?,
            _ => after,
        };
        hints.push(hint);
    }
    if hints.is_empty() {
        return Err(Error::fix("the hint is empty").at(position));
    }
    Ok(hints)
}

/// Reads arguments up to and including `)`; returns what follows.
fn parse_arguments<'a>(hint: &mut RawHint, mut rest: &'a [Lexed]) -> Result<&'a [Lexed]> {
    let malformed = |at: Position, name: &str| {
        Error::fix(format!("the hint {name} is malformed"))
            .at(at)
            .with_hint("write it like OPTIONS('key' = 'value', …) or BROADCAST(table, …)")
    };
    loop {
        rest = match rest {
            [close, after @ ..] if close.is(&Token::RParen) => return Ok(after),
            [key, equals, value, after @ ..] if equals.is(&Token::Eq) => {
                let (Some(key_text), Some(Token::SingleQuotedString(text))) = (text_of(key), value.token()) else {
                    return Err(malformed(key.position(), &hint.name));
                };
                hint.options.set(TableOption { key: key_text, value: text.clone(), position: Some(key.position()) });
                after
            }
            [name, after @ ..] => {
                let Some(value) = text_of(name) else { return Err(malformed(name.position(), &hint.name)) };
                hint.tables.push(Identifier { value, position: name.position() });
                after
            }
            [] => return Err(malformed(hint.position, &hint.name)),
        };
        rest = match rest {
            [comma, after @ ..] if comma.is(&Token::Comma) => after,
            [close, ..] if close.is(&Token::RParen) => rest,
            [other, ..] => return Err(malformed(other.position(), &hint.name)),
            [] => return Err(malformed(hint.position, &hint.name)),
        };
    }
}

fn text_of(lexed: &Lexed) -> Option<String> {
    match lexed.token()? {
        Token::SingleQuotedString(text) => Some(text.clone()),
        Token::Word(word) => Some(word.value.clone()),
        _ => None,
    }
}

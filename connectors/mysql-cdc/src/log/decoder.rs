//! Events into rows of tables, and the place in the log that they belong to. No I/O.

mod errors;
mod group;
mod output;

use std::collections::HashMap;
use std::sync::Arc;

use sluice_model::{Error, Result};
use sluice_mysql_decode::event::{EventHeader, TransactionPayload, event_type};
use sluice_mysql_decode::{
    BinlogParser, DecodeOptions, ErrorKind, Event, EventBody, Flavour, RowDecoder, RowsEvent, TableMap, TargetColumn,
};

use self::errors::{altered, refused};
use self::group::{Executed, Group};
use self::output::Output;
use super::statement::{Action, Effect, effect};
use super::{LogChunk, LogMark};
use crate::decode_error;
use crate::feed::Feed;
use crate::losses::Losses;
use crate::position::{Offset, Place};

/// The most that a compressed transaction may decompress to.
const PAYLOAD_LIMIT: u64 = 64 << 30;
/// Bound decoders kept, by table map.
const KEPT_TABLES: usize = 2048;

/// Why an event was not taken in.
#[derive(Debug)]
pub(crate) enum DecodeFailure {
    /// The columns of this feed's table have changed: tell them with
    /// [`set_columns`](LogDecoder::set_columns) and go on from [`resume`](LogDecoder::resume).
    StaleColumns(usize),
    /// It cannot be taken in.
    Fatal(Error),
}

impl From<Error> for DecodeFailure {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// A table map, and the decoders of the feeds that read its rows.
struct BoundTable {
    /// Keeps the address, under which this is found, from being used again.
    _map: Arc<TableMap>,
    decoders: Vec<(usize, RowDecoder)>,
}

/// Decodes the events of captured tables, in the order of the log.
pub(crate) struct LogDecoder {
    parser: BinlogParser,
    options: DecodeOptions,
    feeds: Arc<Vec<Feed>>,
    outputs: Vec<Output>,
    /// Decoders of a table map, found again by its address; the map is kept alive with them.
    tables: HashMap<usize, BoundTable>,
    server: String,
    file: String,
    pos: u64,
    /// Start of the open event group, or the end of the last one.
    boundary: (String, u64),
    group: Option<Group>,
    executed: Executed,
    /// Start of the last group with captured rows.
    rows_place: Option<Place>,
    /// Groups before this time are passed over.
    from_millis: Option<i64>,
    event_millis: i64,
    moved: bool,
    last_ddl: Option<String>,
}

impl LogDecoder {
    /// A decoder that goes on at `offset`, behind `delivered` rows of each feed. Nobody has been given anything of
    /// feeds that are `pristine`.
    pub(crate) fn new(
        flavour: Flavour,
        feeds: Arc<Vec<Feed>>,
        options: DecodeOptions,
        offset: &Offset,
        delivered: &[u64],
        pristine: &[bool],
    ) -> Result<Self> {
        let outputs = feeds
            .iter()
            .enumerate()
            .map(|(index, feed)| {
                let pristine = pristine.get(index).copied().unwrap_or(false);
                Output::new(feed, delivered.get(index).copied().unwrap_or(0), pristine)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            parser: BinlogParser::new(flavour),
            options,
            feeds,
            outputs,
            tables: HashMap::new(),
            server: offset.server.clone(),
            file: offset.file.clone(),
            pos: offset.pos,
            boundary: (offset.file.clone(), offset.pos),
            group: None,
            executed: Executed::parse(flavour, offset)?,
            rows_place: offset.rows_place,
            from_millis: offset.from_millis,
            event_millis: 0,
            moved: false,
            last_ddl: None,
        })
    }

    /// Prepares for a new connection: it has to start at the offset that this returns. What has been decoded is kept.
    ///
    /// `new_server` is the identity of another server that has taken over.
    pub(crate) fn resume(&mut self, new_server: Option<&str>) -> Offset {
        self.parser = BinlogParser::new(self.parser.flavour());
        self.tables.clear();
        self.group = None;
        let (file, pos) = self.boundary.clone();
        let mut offset = self.offset();
        (self.file, self.pos) = (file, pos);
        for output in &mut self.outputs {
            output.rewind();
        }
        if let Some(server) = new_server {
            // File names and positions are its own from here on.
            server.clone_into(&mut self.server);
            self.boundary = (String::new(), 0);
            self.rows_place = None;
            self.file.clear();
            self.pos = 0;
            offset.rows_place = None;
        }
        offset
    }

    /// Rows decoded and not taken.
    pub(crate) fn rows(&self) -> usize {
        self.outputs.iter().map(Output::len).sum()
    }

    /// Bytes of them.
    pub(crate) fn bytes(&self) -> usize {
        self.outputs.iter().map(Output::byte_size).sum()
    }

    /// The latest time at which the last event can have happened, in milliseconds since 1970; 0 before the first.
    pub(crate) fn latest_event_millis(&self) -> i64 {
        // A time of whole seconds was cut off: MariaDB has no others.
        let is_cut = self.event_millis > 0 && self.event_millis % 1000 == 0;
        self.event_millis + if is_cut { 999 } else { 0 }
    }

    /// Position in the current file.
    pub(crate) fn position(&self) -> u64 {
        self.pos
    }

    fn offset(&self) -> Offset {
        Offset {
            server: self.server.clone(),
            file: self.boundary.0.clone(),
            pos: self.boundary.1,
            gtid: self.executed.to_text(),
            rows_place: self.rows_place,
            from_millis: self.from_millis,
        }
    }

    /// Takes what has been decoded, and the place it reaches; `None` if nothing has moved.
    ///
    /// # Errors
    /// A bug: columns that do not fit their schema.
    pub(crate) fn take(&mut self, losses: &Losses) -> Result<Option<LogChunk>> {
        if !std::mem::take(&mut self.moved) {
            return Ok(None);
        }
        let mut batches = Vec::new();
        for (index, output) in self.outputs.iter_mut().enumerate() {
            let feed = self.feeds.get(index).ok_or_else(|| Error::bug("an output without a feed"))?;
            batches.extend(output.take(index, feed, losses)?);
        }
        Ok(Some(LogChunk { batches, mark: self.mark() }))
    }

    /// The place that has been reached.
    pub(crate) fn mark(&self) -> LogMark {
        let offset = self.offset();
        let behind = self.outputs.iter().map(Output::behind_boundary).enumerate();
        LogMark {
            place: Place::new(&offset.file, offset.pos),
            visible: self.executed.visible(self.group.as_ref(), self.rows_place),
            rows: behind.filter(|(_, rows)| *rows > 0).collect(),
            is_replaying: self.outputs.iter().any(Output::is_replaying),
            offset,
        }
    }

    /// Takes one event in.
    ///
    /// # Errors
    /// See [`DecodeFailure`].
    pub(crate) fn handle(&mut self, bytes: &[u8]) -> Result<(), DecodeFailure> {
        let event = self.parser.parse(bytes).map_err(decode_error)?;
        let header = event.header;
        self.dispatch(event)?;
        self.advance(&header);
        Ok(())
    }

    /// Moves the position behind an event that stands in the file.
    fn advance(&mut self, header: &EventHeader) {
        let is_in_file =
            !matches!(header.type_code, event_type::ROTATE | event_type::HEARTBEAT | event_type::HEARTBEAT_V2);
        if header.next_position != 0 && !header.is_artificial() && is_in_file {
            self.pos = unwrapped(self.pos, header.next_position);
        }
        if self.group.is_none() && (self.boundary.1 != self.pos || self.boundary.0 != self.file) {
            self.boundary = (self.file.clone(), self.pos);
            self.moved = true;
        }
    }

    fn dispatch(&mut self, event: Event<'_>) -> Result<(), DecodeFailure> {
        let header = event.header;
        match event.body {
            EventBody::Rotate(rotate) => {
                self.file = rotate.file.into_owned();
                self.pos = rotate.position;
                if self.tables.len() > KEPT_TABLES {
                    self.tables.clear();
                }
            }
            EventBody::PreviousGtids(set) => self.executed.begin_with_mysql(set),
            EventBody::GtidList(position) => self.executed.begin_with_mariadb(&position),
            EventBody::Gtid(gtid) => {
                self.begin(&header, Group::mysql(gtid.gtid.clone()));
                if gtid.immediate_commit_micros > 0 {
                    self.event_millis = i64::try_from(gtid.immediate_commit_micros / 1000).unwrap_or(0);
                }
            }
            EventBody::AnonymousGtid(_) => self.begin(&header, Group::anonymous()),
            EventBody::MariaGtid(gtid) => {
                let mut group = Group::mariadb(gtid.gtid, !gtid.is_standalone());
                group.is_prepared = gtid.is_xa_prepare();
                self.begin(&header, group);
            }
            EventBody::Query(query) => self.query(&header, &query.sql(), &query.schema)?,
            EventBody::Xid(_) => self.end()?,
            EventBody::XaPrepare(prepare) => {
                if let Some(group) = &mut self.group {
                    group.is_prepared = !prepare.one_phase;
                }
                self.end()?;
            }
            EventBody::TableMap(table) => self.bind(&table)?,
            EventBody::Rows(rows) => self.decode(&header, &rows)?,
            EventBody::TransactionPayload(payload) => self.payload(&payload)?,
            EventBody::Heartbeat(heartbeat) => {
                if self.group.is_none() && heartbeat.position > self.pos && heartbeat.file == self.file {
                    self.pos = heartbeat.position;
                }
            }
            EventBody::FormatDescription(_)
            | EventBody::StatementEnd
            | EventBody::RowsQuery(_)
            | EventBody::Stop
            | EventBody::Other(_)
            | EventBody::Ignorable(_) => {}
        }
        Ok(())
    }

    /// Takes in the events of a compressed transaction.
    fn payload(&mut self, payload: &TransactionPayload<'_>) -> Result<(), DecodeFailure> {
        let mut events = payload.events(PAYLOAD_LIMIT).map_err(decode_error)?;
        // The parser is needed by the iterator and by what handles its events.
        let mut parser = std::mem::replace(&mut self.parser, BinlogParser::new(Flavour::MySql));
        let result = loop {
            match events.next(&mut parser) {
                Ok(None) => break Ok(()),
                Ok(Some(inner)) => {
                    if let Err(failure) = self.dispatch(inner) {
                        break Err(failure);
                    }
                }
                Err(error) => break Err(DecodeFailure::Fatal(decode_error(error))),
            }
        };
        self.parser = parser;
        result
    }

    fn begin(&mut self, header: &EventHeader, mut group: Group) {
        self.event_millis = i64::from(header.timestamp) * 1000;
        if let Some(from) = self.from_millis {
            // Times of the log are whole seconds.
            if self.event_millis / 1000 >= from / 1000 {
                self.from_millis = None;
            } else {
                group.is_before_start = true;
            }
        }
        self.group = Some(group);
    }

    /// The open group is committed.
    fn end(&mut self) -> Result<(), DecodeFailure> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        if group.is_prepared && group.has_rows {
            return Err(Error::fix("an XA transaction changed a captured table in two phases, which is not supported")
                .because("its rows are in the log before it is known whether they are committed")
                .with_hint("commit XA transactions in one phase (XA COMMIT … ONE PHASE), or leave the table out")
                .into());
        }
        self.executed.add(&group);
        for output in &mut self.outputs {
            output.end_group();
        }
        self.moved = true;
        Ok(())
    }

    fn query(&mut self, header: &EventHeader, sql: &str, schema: &str) -> Result<(), DecodeFailure> {
        let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        let second = sql.split_whitespace().nth(1).unwrap_or_default();
        if is(&["BEGIN"])
            || is(&["XA"]) && (second.eq_ignore_ascii_case("START") || second.eq_ignore_ascii_case("BEGIN"))
        {
            match &mut self.group {
                Some(group) => group.is_begun = true,
                None => {
                    self.begin(header, Group::anonymous());
                    if let Some(group) = &mut self.group {
                        group.is_begun = true;
                    }
                }
            }
            return Ok(());
        }
        if is(&["COMMIT"]) {
            return self.end();
        }
        if is(&["ROLLBACK"]) {
            if self.group.as_ref().is_some_and(|group| group.has_rows) {
                return Err(Error::fix("the log holds a transaction on a captured table that was rolled back")
                    .because("it mixed tables with and without transactions")
                    .with_hint("keep captured tables in InnoDB, and out of transactions with other engines")
                    .into());
            }
            // ROLLBACK TO a savepoint does not end the group.
            return if second.is_empty() { self.end() } else { Ok(()) };
        }
        if is(&["SAVEPOINT", "RELEASE"]) || is(&["XA"]) && self.group.as_ref().is_some_and(|group| group.is_begun) {
            return Ok(());
        }
        if let Some(effect) = effect(sql, schema) {
            self.apply(&effect, sql)?;
        }
        match &self.group {
            Some(group) if group.is_begun => Ok(()),
            _ => self.end(),
        }
    }

    /// A statement touched tables; captured ones among them may make going on impossible.
    fn apply(&mut self, effect: &Effect, sql: &str) -> Result<(), DecodeFailure> {
        let touched = |feed: &Feed| {
            effect.tables.iter().any(|(database, table)| {
                feed.table.database.eq_ignore_ascii_case(database)
                    && (feed.table.name.eq_ignore_ascii_case(table) || effect.action == Action::DropDatabase)
            })
        };
        let feeds = Arc::clone(&self.feeds);
        for (index, feed) in feeds.iter().enumerate().filter(|(_, feed)| touched(feed)) {
            let is_harmless = !matches!(effect.action, Action::Alter | Action::Dml)
                && self.outputs.get(index).is_some_and(|output| output.is_pristine);
            if is_harmless || self.group.as_ref().is_some_and(|group| group.is_before_start) {
                continue;
            }
            if effect.action != Action::Alter {
                return Err(refused(effect.action, feed, sql).into());
            }
            self.last_ddl = Some(sql.to_owned());
            self.tables.clear();
            if let Some(output) = self.outputs.get_mut(index) {
                output.is_stale = true;
            }
        }
        Ok(())
    }

    /// The columns of a feed's table, as they are now.
    ///
    /// # Errors
    /// A column that is wanted is gone.
    pub(crate) fn set_columns(&mut self, feed: usize, columns: Vec<TargetColumn>, count: usize) {
        if let Some(output) = self.outputs.get_mut(feed) {
            output.columns = columns;
            output.table_columns = count;
            output.is_stale = false;
            output.was_refreshed = true;
        }
    }

    /// Finds or makes the decoders of a table that rows are about to come of.
    fn bind(&mut self, table: &Arc<TableMap>) -> Result<(), DecodeFailure> {
        let address = Arc::as_ptr(table) as usize;
        if self.tables.contains_key(&address) {
            return Ok(());
        }
        let mut decoders = Vec::new();
        for (index, feed) in self.feeds.iter().enumerate() {
            if feed.table.name != table.table || feed.table.database != table.schema {
                continue;
            }
            let Some(output) = self.outputs.get_mut(index) else {
                continue;
            };
            let fits = output.fits(table);
            if !fits && !output.was_refreshed {
                return Err(DecodeFailure::StaleColumns(index));
            }
            match RowDecoder::with_options(table, &output.columns_for(table), self.options.clone()) {
                Ok(decoder) if fits => decoders.push((index, decoder)),
                Err(error) if error.kind() == ErrorKind::Schema && !output.was_refreshed => {
                    return Err(DecodeFailure::StaleColumns(index));
                }
                Err(error) if error.kind() != ErrorKind::Schema => return Err(decode_error(error).into()),
                other => {
                    let why = other.err().map(|error| error.to_string());
                    return Err(altered(feed, self.last_ddl.as_deref(), why).into());
                }
            }
            output.was_refreshed = false;
        }
        if self.tables.len() > KEPT_TABLES {
            self.tables.clear();
        }
        self.tables.insert(address, BoundTable { _map: Arc::clone(table), decoders });
        Ok(())
    }

    fn decode(&mut self, header: &EventHeader, rows: &RowsEvent<'_>) -> Result<(), DecodeFailure> {
        let Some(BoundTable { decoders, .. }) = self.tables.get_mut(&(Arc::as_ptr(&rows.table) as usize)) else {
            return Err(Error::bug("rows of a table that was not announced").into());
        };
        if decoders.is_empty() || self.group.as_ref().is_some_and(|group| group.is_before_start) {
            return Ok(());
        }
        for (index, decoder) in decoders {
            let (Some(feed), Some(output)) = (self.feeds.get(*index), self.outputs.get_mut(*index)) else {
                continue;
            };
            output.decode(feed, decoder, rows, i64::from(header.timestamp) * 1000)?;
        }
        if let Some(group) = &mut self.group
            && !group.has_rows
        {
            group.has_rows = true;
            self.rows_place = Some(Place::new(&self.boundary.0, self.boundary.1));
        }
        self.moved = true;
        Ok(())
    }
}

/// The position whose low 32 bits are `low`, given the one before: a huge transaction makes a file larger than that.
fn unwrapped(before: u64, low: u32) -> u64 {
    const HALF: u64 = 1 << 31;
    let next = (before & !0xffff_ffff) | u64::from(low);
    if next >= before {
        next
    } else if before - next > HALF {
        next + (1 << 32)
    } else {
        // The head of a file, repeated at the start of a dump.
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_on_beyond_32_bits() {
        assert_eq!(unwrapped(4, 126), 126);
        assert_eq!(unwrapped(0xffff_ff00, 0x100), 0x1_0000_0100);
        assert_eq!(unwrapped(0x1_ffff_ff00, 0x100), 0x2_0000_0100);
        assert_eq!(unwrapped(5000, 126), 5000);
    }
}

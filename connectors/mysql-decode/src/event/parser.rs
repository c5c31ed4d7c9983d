//! [`BinlogParser`]: the state that lives from event to event.

use std::sync::Arc;

use crate::error::{DecodeError, Result};
use crate::event::checksum::{self, Checksum};
use crate::event::control::{self, Heartbeat, Rotate, XaPrepare};
use crate::event::format::FormatDescription;
use crate::event::header::{EventHeader, HEADER_LEN, event_type as t};
use crate::event::payload::TransactionPayload;
use crate::event::query::{Query, QueryKind};
use crate::event::rows::{DUMMY_TABLE_ID, RowsEvent, RowsLayout, ends_statement};
use crate::event::table_cache::TableCache;
use crate::event::table_map::{TableMap, table_id};
use crate::event::transaction::{GtidEvent, MariaGtidEvent};
use crate::event::{Event, EventBody, tagged};
use crate::gtid::{GtidSet, MariaGtid, MariaGtidPos};

/// Which server family wrote the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// MySQL and its close relatives (Percona Server, Aurora).
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The most an event may decompress to: the largest packet of the protocol.
const INFLATE_LIMIT: usize = 1 << 30;

/// Parses events in the order of the log.
///
/// Feed it every event of a connection, whole, without the status byte of the network packet. A real rotation and a
/// format description reset what belongs to a file; an artificial rotation, which may come in the middle of a
/// transaction after a reconnect, does not.
#[derive(Debug)]
pub struct BinlogParser {
    flavour: Flavour,
    checksum: Checksum,
    format: Option<FormatDescription>,
    tables: TableCache,
}

impl BinlogParser {
    /// A parser at the beginning of a connection or a file. The format description corrects `flavour`.
    pub fn new(flavour: Flavour) -> Self {
        Self { flavour, checksum: Checksum::Unknown, format: None, tables: TableCache::default() }
    }

    /// The family of the server, as far as it is known.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// How the events of the current file end.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Parses one event: header, checksum, body.
    pub fn parse<'a>(&mut self, event: &'a [u8]) -> Result<Event<'a>> {
        let header = EventHeader::parse(event)?;
        let place = |error: DecodeError| error.at_position(header.start_position());
        if header.type_code == t::FORMAT_DESCRIPTION {
            return self.begin_file(event, header).map_err(place);
        }
        let content = checksum::strip(self.checksum, event)?;
        let body = content.get(HEADER_LEN..).unwrap_or_default();
        self.body(header, body).map(|body| Event { header, body }).map_err(place)
    }

    /// Parses an event out of a compressed transaction, which has no checksum.
    pub(crate) fn parse_inner<'a>(&mut self, event: &'a [u8]) -> Result<Event<'a>> {
        let header = EventHeader::parse(event)?;
        if matches!(header.type_code, t::FORMAT_DESCRIPTION | t::ROTATE | t::TRANSACTION_PAYLOAD) {
            let what = format!("event of type {} inside a compressed transaction", header.type_code);
            return Err(DecodeError::malformed(what));
        }
        let body = event.get(HEADER_LEN..).unwrap_or_default();
        self.body(header, body).map(|body| Event { header, body })
    }

    fn begin_file<'a>(&mut self, event: &'a [u8], header: EventHeader) -> Result<Event<'a>> {
        let format = FormatDescription::parse(event)?;
        if format.checksum == Checksum::Crc32 {
            checksum::strip(Checksum::Crc32, event)?;
        }
        if format.is_mariadb() {
            self.flavour = Flavour::MariaDb;
        }
        self.checksum = format.checksum;
        self.format = Some(format.clone());
        Ok(Event { header, body: EventBody::FormatDescription(format) })
    }

    fn body<'a>(&mut self, header: EventHeader, body: &'a [u8]) -> Result<EventBody<'a>> {
        if let Some(layout) = RowsLayout::of(header.type_code) {
            return self.rows(header, body, layout);
        }
        let fixed = self.post_header_len(header.type_code);
        Ok(match header.type_code {
            t::TABLE_MAP => EventBody::TableMap(self.table_map(body, fixed)?),
            t::ROTATE => EventBody::Rotate(self.rotate(body, &header)?),
            t::QUERY => EventBody::Query(Query::parse(body, fixed, QueryKind::Statement)?),
            t::EXECUTE_LOAD_QUERY => EventBody::Query(Query::parse(body, fixed, QueryKind::LoadData)?),
            t::MARIA_QUERY_COMPRESSED => EventBody::Query(Query::parse_compressed(body, fixed, INFLATE_LIMIT)?),
            t::XID => EventBody::Xid(crate::cursor::Cursor::new(body).u64_le()?),
            t::GTID => EventBody::Gtid(GtidEvent::parse(body)?),
            t::ANONYMOUS_GTID => EventBody::AnonymousGtid(GtidEvent::parse(body)?),
            t::GTID_TAGGED => EventBody::Gtid(tagged::parse(body)?),
            t::MARIA_GTID => EventBody::MariaGtid(MariaGtidEvent::parse(body, header.server_id)?),
            t::PREVIOUS_GTIDS => EventBody::PreviousGtids(GtidSet::decode(body)?),
            t::MARIA_GTID_LIST => EventBody::GtidList(gtid_list(body)?),
            t::TRANSACTION_PAYLOAD => EventBody::TransactionPayload(TransactionPayload::parse(body)?),
            t::XA_PREPARE => EventBody::XaPrepare(XaPrepare::parse(body)?),
            t::HEARTBEAT => EventBody::Heartbeat(Heartbeat::parse(body, &header)),
            t::HEARTBEAT_V2 => EventBody::Heartbeat(Heartbeat::parse_v2(body)?),
            // One length byte, which is useless above 255; the text goes to the end.
            t::ROWS_QUERY => EventBody::RowsQuery(body.get(1..).unwrap_or_default()),
            t::MARIA_ANNOTATE_ROWS => EventBody::RowsQuery(body),
            t::STOP => EventBody::Stop,
            t::INCIDENT => return Err(control::incident(body)),
            t::PARTIAL_UPDATE_ROWS => return Err(partial_update()),
            other => return without_rows(header, other),
        })
    }

    fn rotate<'a>(&mut self, body: &'a [u8], header: &EventHeader) -> Result<Rotate<'a>> {
        let rotate = Rotate::parse(body, header)?;
        if !rotate.is_artificial {
            self.tables.clear();
            self.checksum = Checksum::Unknown;
        }
        Ok(rotate)
    }

    fn table_map(&mut self, body: &[u8], post_header_len: usize) -> Result<Arc<TableMap>> {
        let table_id = table_id(body, post_header_len)?;
        if let Some(map) = self.tables.announce_again(table_id, body) {
            return Ok(map);
        }
        let map = Arc::new(TableMap::parse(body, post_header_len, self.flavour == Flavour::MariaDb)?);
        self.tables.announce(Arc::clone(&map), body);
        Ok(map)
    }

    fn rows<'a>(&mut self, header: EventHeader, body: &'a [u8], layout: RowsLayout) -> Result<EventBody<'a>> {
        let fixed = self.post_header_len(header.type_code);
        let table_id = table_id(body, fixed)?;
        let ends_statement = ends_statement(body, fixed)?;
        if table_id == DUMMY_TABLE_ID && ends_statement {
            self.tables.end_statement();
            return Ok(EventBody::StatementEnd);
        }
        let table = self.tables.get(table_id).cloned().ok_or_else(|| {
            DecodeError::malformed(format!(
                "rows of table id {table_id}, which no table map of the statement announced"
            ))
            .with_hint("reading began in the middle of a statement; begin at a transaction")
        })?;
        if ends_statement {
            self.tables.end_statement();
        }
        let name = Arc::clone(&table);
        let mut rows = RowsEvent::parse(body, layout, fixed, table, INFLATE_LIMIT)
            .map_err(|error| error.in_table(name.full_name()))?;
        rows.position = header.start_position();
        Ok(EventBody::Rows(rows))
    }

    fn post_header_len(&self, type_code: u8) -> usize {
        let described = self.format.as_ref().and_then(|format| format.post_header_len(type_code));
        described.filter(|len| *len > 0).unwrap_or_else(|| FormatDescription::assumed_post_header_len(type_code))
    }
}

/// Known events that carry no rows, and unknown ones, which may be skipped only if they say so.
fn without_rows<'a>(header: EventHeader, type_code: u8) -> Result<EventBody<'a>> {
    match type_code {
        t::INTVAR
        | t::RAND
        | t::USER_VAR
        | t::APPEND_BLOCK
        | t::DELETE_FILE
        | t::BEGIN_LOAD_QUERY
        | t::IGNORABLE
        | t::TRANSACTION_CONTEXT
        | t::VIEW_CHANGE
        | t::MARIA_BINLOG_CHECKPOINT
        | t::MARIA_START_ENCRYPTION => Ok(EventBody::Other(type_code)),
        _ if header.is_ignorable() => Ok(EventBody::Ignorable(type_code)),
        _ => Err(DecodeError::unsupported(format!(
            "event of unknown type {type_code} may carry rows, so it cannot be skipped"
        ))
        .with_hint("the server is newer than this program; please report the type number and the server version")),
    }
}

fn partial_update() -> DecodeError {
    DecodeError::unsupported("partial JSON updates (PARTIAL_UPDATE_ROWS_EVENT) are not supported")
        .with_hint("set binlog_row_value_options='' globally and in every session that writes")
}

/// Reads a count (28 bits, the rest are flags), then domain 4, server 4, sequence 8 of each.
fn gtid_list(body: &[u8]) -> Result<MariaGtidPos> {
    let mut cursor = crate::cursor::Cursor::new(body);
    let count = cursor.u32_le()? & 0x0fff_ffff;
    let mut position = MariaGtidPos::new();
    for _ in 0..count {
        let (domain, server, sequence) = (cursor.u32_le()?, cursor.u32_le()?, cursor.u64_le()?);
        position.add(MariaGtid { domain, server, sequence });
    }
    Ok(position)
}

//! One line per event.

use sluice_mysql_decode::event::{Event, EventBody};

/// Type number and what was read.
pub(crate) fn line(event: &Event<'_>) -> String {
    format!("{} {}", event.header.type_code, body(event))
}

fn body(event: &Event<'_>) -> String {
    match &event.body {
        EventBody::FormatDescription(format) => format!("format {} {:?}", format.server_version, format.checksum),
        EventBody::Rotate(rotate) => {
            format!("rotate to {}:{} artificial={}", rotate.file, rotate.position, rotate.is_artificial)
        }
        EventBody::PreviousGtids(set) => format!("previous gtids {set}"),
        EventBody::GtidList(position) => format!("gtid list {position}"),
        EventBody::Gtid(gtid) => format!(
            "gtid {} after {} sequence {} length {} committed in {}",
            gtid.gtid,
            gtid.last_committed,
            gtid.sequence_number,
            gtid.transaction_len,
            if gtid.immediate_commit_micros / 1_000_000_000_000 > 1000 { "this millennium" } else { "?" },
        ),
        EventBody::AnonymousGtid(_) => "anonymous gtid".into(),
        EventBody::MariaGtid(gtid) => {
            let flags = [
                (gtid.is_standalone(), "standalone"),
                (gtid.is_transactional(), "transactional"),
                (gtid.is_ddl(), "ddl"),
                (gtid.is_xa_prepare(), "xa-prepare"),
                (gtid.is_xa_complete(), "xa-complete"),
            ];
            let flags: Vec<_> = flags.iter().filter(|flag| flag.0).map(|flag| flag.1).collect();
            let xid = gtid.xid.map(|xid| format!(" {xid}")).unwrap_or_default();
            format!("gtid {} {}{xid}", gtid.gtid, flags.join(" "))
        }
        EventBody::Query(query) => {
            let sql: String = query.sql().chars().take(60).collect();
            let vars = &query.status_vars;
            format!("query [{}] {} {:?} {sql:?}", query.schema, vars.client_charset().name(), vars.sql_mode)
        }
        EventBody::Xid(_) => "xid".into(),
        EventBody::XaPrepare(prepare) => format!("xa prepare {} one_phase={}", prepare.xid, prepare.one_phase),
        EventBody::TableMap(table) => format!("table map {} of {} columns", table.full_name(), table.columns.len()),
        EventBody::Rows(rows) => format!("rows {:?} {} end={}", rows.kind, rows.table.full_name(), rows.ends_statement),
        EventBody::StatementEnd => "statement end".into(),
        EventBody::TransactionPayload(payload) => format!("payload of {} bytes", payload.uncompressed_len),
        EventBody::Heartbeat(heartbeat) => format!("heartbeat {}:{}", heartbeat.file, heartbeat.position),
        EventBody::RowsQuery(sql) => format!("rows query {:?}", String::from_utf8_lossy(&sql[..sql.len().min(30)])),
        EventBody::Stop => "stop".into(),
        EventBody::Other(number) => format!("other {number}"),
        EventBody::Ignorable(number) => format!("ignorable {number}"),
    }
}

//! Asking for the binlog.

use super::text::server_error;
use super::{Connection, WireError, WireResult};

const COM_REGISTER_SLAVE: u8 = 0x15;
const COM_BINLOG_DUMP: u8 = 0x12;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

/// Where a dump starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DumpFrom {
    /// A byte position in a file of this server. The protocol carries 32 bits.
    Position {
        /// File name.
        file: String,
        /// Position of an event.
        position: u32,
    },
    /// Behind a set of executed transactions, in the binary form that MySQL wants.
    MySqlGtid(Vec<u8>),
    /// Behind what `@slave_connect_state` says (set beforehand, MariaDB).
    MariaDbState,
}

impl Connection {
    /// Turns the connection into a stream of binlog events, read with [`buffered_event`](Self::buffered_event).
    pub(crate) async fn start_binlog(&mut self, server_id: u32, from: &DumpFrom) -> WireResult<()> {
        let mut register = server_id.to_le_bytes().to_vec();
        // Empty host, user and password; port; rank; id of the source.
        register.extend_from_slice(&[0; 3]);
        register.extend_from_slice(&[0; 2]);
        register.extend_from_slice(&[0; 8]);
        self.stream.send_command(COM_REGISTER_SLAVE, &register).await?;
        let packet = self.stream.next().await?;
        if packet.first() != Some(&0x00) {
            return Err(server_error(packet));
        }
        let (command, body) = dump_command(server_id, from);
        self.stream.send_command(command, &body).await
    }

    /// The next event if all of it has arrived, from its header on.
    #[inline]
    pub(crate) fn buffered_event(&mut self) -> WireResult<Option<&[u8]>> {
        let Some(packet) = self.stream.buffered()? else {
            return Ok(None);
        };
        match packet.split_first() {
            Some((0x00, event)) => Ok(Some(event)),
            Some((0xff, _)) => Err(server_error(packet)),
            Some((0xfe, _)) => Err(WireError::Closed),
            _ => Err(WireError::protocol("a packet that is no binlog event")),
        }
    }
}

fn dump_command(server_id: u32, from: &DumpFrom) -> (u8, Vec<u8>) {
    let mut body = Vec::new();
    match from {
        DumpFrom::MySqlGtid(set) => {
            body.extend_from_slice(&0u16.to_le_bytes());
            body.extend_from_slice(&server_id.to_le_bytes());
            body.extend_from_slice(&0u32.to_le_bytes());
            body.extend_from_slice(&4u64.to_le_bytes());
            body.extend_from_slice(&u32::try_from(set.len()).unwrap_or(u32::MAX).to_le_bytes());
            body.extend_from_slice(set);
            (COM_BINLOG_DUMP_GTID, body)
        }
        DumpFrom::Position { .. } | DumpFrom::MariaDbState => {
            let (file, position) = match from {
                DumpFrom::Position { file, position } => (file.as_str(), *position),
                _ => ("", 4),
            };
            body.extend_from_slice(&position.to_le_bytes());
            body.extend_from_slice(&0u16.to_le_bytes());
            body.extend_from_slice(&server_id.to_le_bytes());
            body.extend_from_slice(file.as_bytes());
            (COM_BINLOG_DUMP, body)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_names_file_and_position() {
        let (command, body) = dump_command(7, &DumpFrom::Position { file: "b.1".into(), position: 4 });
        assert_eq!(command, COM_BINLOG_DUMP);
        assert_eq!(body, [4, 0, 0, 0, 0, 0, 7, 0, 0, 0, b'b', b'.', b'1']);
    }

    #[test]
    fn a_gtid_dump_carries_the_set() {
        let (command, body) = dump_command(7, &DumpFrom::MySqlGtid(vec![9; 3]));
        assert_eq!(command, COM_BINLOG_DUMP_GTID);
        assert_eq!(body.len(), 2 + 4 + 4 + 8 + 4 + 3);
        assert_eq!(body[18..], [3, 0, 0, 0, 9, 9, 9]);
    }
}

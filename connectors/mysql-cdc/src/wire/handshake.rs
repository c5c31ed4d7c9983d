//! The greeting of the server, and the answer to it.

use super::{WireError, WireResult};

/// Bits of the capability flags that this client uses.
pub(super) mod capability {
    pub(in crate::wire) const LONG_PASSWORD: u32 = 1;
    pub(in crate::wire) const LONG_FLAG: u32 = 1 << 2;
    pub(in crate::wire) const PROTOCOL_41: u32 = 1 << 9;
    pub(in crate::wire) const SSL: u32 = 1 << 11;
    pub(in crate::wire) const TRANSACTIONS: u32 = 1 << 13;
    pub(in crate::wire) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(in crate::wire) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(in crate::wire) const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
}

/// utf8mb4_general_ci, which every version of both servers knows.
const COLLATION: u8 = 45;
const MAX_PACKET: u32 = 1 << 30;

/// What the server said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) server_version: String,
    pub(super) capabilities: u32,
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: String,
}

impl Greeting {
    /// Reads a `HandshakeV10` packet.
    pub(super) fn parse(packet: &[u8]) -> WireResult<Self> {
        let cut = || WireError::protocol("the greeting is cut off");
        let (&protocol, rest) = packet.split_first().ok_or_else(cut)?;
        if protocol != 10 {
            return Err(WireError::protocol(format!("protocol version {protocol}, expected 10")));
        }
        let version_end = rest.iter().position(|byte| *byte == 0).ok_or_else(cut)?;
        let server_version = String::from_utf8_lossy(&rest[..version_end]).into_owned();
        // Thread id (4), nonce (8), filler (1), capabilities low (2), collation (1), status (2), capabilities high (2),
        // length of the nonce (1), reserved (10).
        let fixed = rest.get(version_end + 1..version_end + 32).ok_or_else(cut)?;
        let capabilities = u32::from_le_bytes([fixed[13], fixed[14], fixed[18], fixed[19]]);
        let mut nonce = fixed[4..12].to_vec();
        let tail = &rest[version_end + 32..];
        let more = usize::from(fixed[20]).saturating_sub(8).max(13).min(tail.len());
        nonce.extend_from_slice(&tail[..more]);
        nonce.truncate(20);
        let plugin = tail[more..].split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self { server_version, capabilities, nonce, plugin: String::from_utf8_lossy(plugin).into_owned() })
    }

    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & capability::SSL != 0
    }
}

fn client_capabilities(tls: bool) -> u32 {
    use capability::*;
    let base =
        LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH | PLUGIN_AUTH_LENENC;
    if tls { base | SSL } else { base }
}

/// The packet that asks for TLS; also the head of the login packet.
pub(super) fn tls_request(tls: bool) -> Vec<u8> {
    let mut packet = Vec::with_capacity(128);
    packet.extend_from_slice(&client_capabilities(tls).to_le_bytes());
    packet.extend_from_slice(&MAX_PACKET.to_le_bytes());
    packet.push(COLLATION);
    packet.extend_from_slice(&[0; 23]);
    packet
}

/// The login packet (`HandshakeResponse41`).
pub(super) fn login(tls: bool, user: &str, answer: &[u8], plugin: &str) -> Vec<u8> {
    let mut packet = tls_request(tls);
    packet.extend_from_slice(user.as_bytes());
    packet.push(0);
    // No answer is longer than 250 bytes: they are hashes, or a password over TLS that is sent later.
    packet.push(u8::try_from(answer.len()).unwrap_or(0));
    packet.extend_from_slice(answer);
    packet.extend_from_slice(plugin.as_bytes());
    packet.push(0);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Vec<u8> {
        let mut packet = vec![10];
        packet.extend_from_slice(b"9.7.4\0");
        packet.extend_from_slice(&[7, 0, 0, 0]);
        packet.extend_from_slice(b"abcdefgh\0");
        packet.extend_from_slice(&[0xff, 0xff, 45, 2, 0, 0xff, 0xff, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"ijklmnopqrst\0caching_sha2_password\0");
        packet
    }

    #[test]
    fn reads_the_greeting() {
        let parsed = Greeting::parse(&greeting()).unwrap();
        assert_eq!(parsed.server_version, "9.7.4");
        assert_eq!(parsed.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(parsed.plugin, "caching_sha2_password");
        assert!(parsed.offers_tls());
    }

    #[test]
    fn a_cut_greeting_is_an_error() {
        let whole = greeting();
        for length in 0..38 {
            assert!(Greeting::parse(&whole[..length]).is_err(), "{length}");
        }
    }
}

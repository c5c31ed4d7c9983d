//! Proving who we are.
//!
//! | plugin | over TLS | in clear text |
//! |---|---|---|
//! | `mysql_native_password` | hash | hash |
//! | `caching_sha2_password`, server knows the hash | hash | hash |
//! | `caching_sha2_password`, first login | password | password, encrypted with the server's RSA key |
//! | `sha256_password` | password | password, encrypted with the server's RSA key |
//! | `mysql_clear_password` | password | refused |

use mysql_common::scramble::{scramble_native, scramble_sha256};
use sluice_model::Secret;

use super::packet::PacketStream;
use super::text::server_error;
use super::{WireError, WireResult};

const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";
const SHA256: &str = "sha256_password";
const CLEAR: &str = "mysql_clear_password";

/// Who logs in.
pub(super) struct Credentials<'a> {
    pub(super) password: &'a Secret,
    /// Whether the server's RSA key may be asked for over a connection that nobody vouches for.
    pub(super) allow_public_key_retrieval: bool,
}

impl Credentials<'_> {
    /// The first answer to a nonce.
    pub(super) fn answer(&self, plugin: &str, nonce: &[u8], tls: bool) -> WireResult<Vec<u8>> {
        let nonce = nonce.get(..20).unwrap_or(nonce);
        let password = self.password.expose().as_bytes();
        match plugin {
            // An empty plugin name is a server older than plugins.
            NATIVE | "" => Ok(scramble_native(nonce, password).map(Vec::from).unwrap_or_default()),
            CACHING_SHA2 => Ok(scramble_sha256(nonce, password).map(Vec::from).unwrap_or_default()),
            SHA256 | CLEAR if tls => Ok(with_nul(password)),
            // Asks for the RSA key.
            SHA256 if !password.is_empty() => Ok(vec![1]),
            SHA256 => Ok(vec![0]),
            CLEAR => Err(WireError::Login(
                "the account wants the password in clear text (mysql_clear_password), which needs TLS".into(),
            )),
            other => Err(WireError::Login(format!(
                "the account uses the authentication plugin '{other}', which is not supported"
            ))),
        }
    }

    /// Goes on until the server has let us in.
    pub(super) async fn finish(&self, stream: &mut PacketStream, plugin: &str, nonce: &[u8]) -> WireResult<()> {
        let mut plugin = plugin.to_owned();
        let mut nonce = nonce.to_vec();
        loop {
            let tls = stream.is_tls();
            let packet = stream.next().await?;
            match packet.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => return Err(server_error(packet)),
                Some((0xfe, switch)) => {
                    let (name, seed) = split_at_nul(switch);
                    plugin = String::from_utf8_lossy(name).into_owned();
                    nonce = seed.strip_suffix(&[0]).unwrap_or(seed).to_vec();
                    let answer = self.answer(&plugin, &nonce, tls)?;
                    stream.send(&answer).await?;
                }
                // The hash was enough: the final OK follows.
                Some((0x01, [0x03])) => {}
                // The server wants the password itself.
                Some((0x01, [0x04])) if tls => stream.send(&with_nul(self.password.expose().as_bytes())).await?,
                Some((0x01, [0x04])) => {
                    self.check_key_retrieval()?;
                    stream.send(&[2]).await?;
                }
                Some((0x01, key)) if plugin == CACHING_SHA2 || plugin == SHA256 => {
                    let encrypted = self.encrypt(key, &nonce)?;
                    stream.send(&encrypted).await?;
                }
                _ => return Err(WireError::protocol("an unexpected packet during login")),
            }
        }
    }

    fn check_key_retrieval(&self) -> WireResult<()> {
        if self.allow_public_key_retrieval {
            return Ok(());
        }
        Err(WireError::Login(
            "the login needs the server's public key, and 'jdbc.properties.allowPublicKeyRetrieval' is false".into(),
        ))
    }

    /// The password, masked with the nonce and encrypted with the server's key (RSA-OAEP).
    fn encrypt(&self, key: &[u8], nonce: &[u8]) -> WireResult<Vec<u8>> {
        let mut masked = with_nul(self.password.expose().as_bytes());
        for (byte, mask) in masked.iter_mut().zip(nonce.get(..20).unwrap_or(nonce).iter().cycle()) {
            *byte ^= mask;
        }
        let bad_key = || WireError::protocol("the server's public key cannot be read");
        if !key.starts_with(b"-----BEGIN ") || !key.trim_ascii_end().ends_with(b" PUBLIC KEY-----") {
            return Err(bad_key());
        }
        // The library asserts that the key is well formed; a hostile server must not end the process with one that
        // is not.
        std::panic::catch_unwind(|| mysql_common::crypto::encrypt(&masked, key)).map_err(|_| bad_key())
    }
}

fn with_nul(password: &[u8]) -> Vec<u8> {
    let mut bytes = password.to_vec();
    bytes.push(0);
    bytes
}

fn split_at_nul(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(password: &Secret) -> Credentials<'_> {
        Credentials { password, allow_public_key_retrieval: true }
    }

    #[test]
    fn a_clear_text_password_needs_tls() {
        let password = Secret::new("p");
        assert!(credentials(&password).answer(CLEAR, &[0; 20], false).is_err());
        assert_eq!(credentials(&password).answer(CLEAR, &[0; 20], true).unwrap(), b"p\0");
    }

    #[test]
    fn an_empty_password_has_an_empty_answer() {
        let password = Secret::new("");
        assert!(credentials(&password).answer(NATIVE, &[1; 20], false).unwrap().is_empty());
        assert!(credentials(&password).answer(CACHING_SHA2, &[1; 20], false).unwrap().is_empty());
    }

    #[test]
    fn a_broken_public_key_is_an_error() {
        let password = Secret::new("p");
        for key in [&b""[..], b"-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n", b"nonsense"] {
            assert!(credentials(&password).encrypt(key, &[1; 20]).is_err());
        }
    }
}

//! Where a server listens, and who may speak to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sluice_model::{Error, Result, Secret};

/// Port of REST, as Flink's.
pub const DEFAULT_PORT: u16 = 8081;
/// Port of the Prometheus endpoint, as Flink's reporter.
pub const DEFAULT_METRICS_PORT: u16 = 9249;

/// Where a server listens, and who may speak to it.
///
/// ```
/// use sluice_server::ServerConfig;
/// let open = ServerConfig { address: "0.0.0.0:8081".parse().unwrap(), ..ServerConfig::default() };
/// assert!(open.check().unwrap_err().to_string().contains("without a token"));
/// ```
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// REST, SQL gateway and web page.
    pub address: SocketAddr,
    /// A second place for `/metrics` only; `None` for none. A port that is taken is no reason not to start.
    pub metrics_address: Option<SocketAddr>,
    /// What a client has to send as `Authorization: Bearer …`.
    pub token: Option<Secret>,
    /// Take the next free port when one is taken, instead of failing.
    pub next_free_port: bool,
    /// Write submitted jobs to disk, and start them again with the server.
    pub keep_jobs: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            address: SocketAddr::new(loopback, DEFAULT_PORT),
            metrics_address: Some(SocketAddr::new(loopback, DEFAULT_METRICS_PORT)),
            token: None,
            next_free_port: false,
            keep_jobs: true,
        }
    }
}

impl ServerConfig {
    /// Refuses to let anyone on the network run SQL.
    ///
    /// # Errors
    /// An address that others can reach, without a token; an empty token.
    pub fn check(&self) -> Result<()> {
        if self.token.as_ref().is_some_and(|token| token.expose().trim().len() < 8) {
            return Err(Error::fix("the token is too short")
                .with_hint("use at least 8 characters, e.g. of `openssl rand -hex 32`"));
        }
        let reachable = |address: &SocketAddr| !address.ip().is_loopback();
        if self.token.is_none() && (reachable(&self.address) || self.metrics_address.as_ref().is_some_and(reachable)) {
            return Err(Error::fix(format!("refusing to listen on {} without a token", self.address))
                .because("whoever reaches this address could run any SQL with the rights of this process")
                .with_hint("pass --token-file FILE, or listen on 127.0.0.1 behind a proxy that authenticates"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_open_without_a_token() {
        let at = |address: &str, token: Option<&str>| {
            let address = address.parse().unwrap();
            ServerConfig { address, token: token.map(Secret::new), ..ServerConfig::default() }.check()
        };
        assert!(at("127.0.0.1:8081", None).is_ok());
        assert!(at("[::1]:8081", None).is_ok());
        assert!(at("0.0.0.0:8081", Some("0123456789abcdef")).is_ok());
        assert!(at("0.0.0.0:8081", Some("short")).is_err());
        for address in ["0.0.0.0:8081", "192.168.1.5:8081", "[::]:8081"] {
            let error = at(address, None).unwrap_err();
            assert!(error.hint().unwrap().contains("--token-file"), "{error}");
        }
    }
}

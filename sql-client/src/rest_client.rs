//! Requests to a server.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use sluice_model::{Error, Result, Secret};
use sluice_server::protocol::{ErrorDetail, PRODUCT};

use crate::args::ServerArgs;

/// How long the question may take whether a server is there.
const PROBE: Duration = Duration::from_millis(200);
/// Time for one answer; results are asked for again before that.
const ANSWER: Duration = Duration::from_secs(60);

/// A server and the way to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct RestClient {
    base: String,
    http: reqwest::Client,
    token: Option<Secret>,
}

impl RestClient {
    /// For an endpoint such as `localhost:8081` or `http://host:8083/`.
    ///
    /// # Errors
    /// What is no endpoint; a token that cannot be read.
    pub(crate) fn new(endpoint: &str, token: Option<Secret>) -> Result<Self> {
        let wrong = || {
            Error::fix(format!("'{}' is not an endpoint", Secret::mask_url(endpoint)))
                .with_hint("write host:port, e.g. -e localhost:8081, or a URL")
        };
        let with_scheme = if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
        let url = reqwest::Url::parse(&with_scheme).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?.to_owned();
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(wrong());
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::bug(error.to_string()))?;
        // What stands behind the port (…/v1) is added with each path.
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let base = format!("{}://{host}{port}", url.scheme());
        Ok(Self { base, http, token })
    }

    /// For the endpoint and token of a command line.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_args(args: &ServerArgs, default_endpoint: &str) -> Result<Self> {
        Self::new(args.endpoint.as_deref().unwrap_or(default_endpoint), token(args)?)
    }

    /// Where it is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// True if a Sluice server answers that keeps jobs running.
    pub(crate) async fn is_server(&self) -> bool {
        let asked = self.http.get(format!("{}/health", self.base)).timeout(PROBE).send();
        let Ok(Ok(response)) = tokio::time::timeout(PROBE, asked).await else {
            return false;
        };
        match response.json::<Value>().await {
            Ok(health) => health["product"] == PRODUCT && health["keeps-jobs"] == true,
            Err(_) => false,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        json(self.send(self.request(Method::GET, path).timeout(ANSWER)).await?).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(self.send(self.request(Method::POST, path).timeout(ANSWER).json(body)).await?).await
    }

    pub(crate) async fn patch(&self, path: &str) -> Result<Value> {
        json(self.send(self.request(Method::PATCH, path).timeout(ANSWER)).await?).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        json(self.send(self.request(Method::DELETE, path).timeout(ANSWER)).await?).await
    }

    /// Posts, and hands back the answer as it comes.
    pub(crate) async fn stream(&self, path: &str, body: &Value) -> Result<Lines> {
        let response = checked(self.send(self.request(Method::POST, path).json(body)).await?).await?;
        Ok(Lines { response, waiting: Vec::new() })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose().trim()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|error| {
            let error = error.without_url();
            Error::retry(format!("the server at {} cannot be reached", self.base))
                .because(root_cause(&error))
                .with_hint("start one with `sluice server`, or name another with -e host:port")
        })
    }
}

/// The token of a command line, or of the environment.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn token(args: &ServerArgs) -> Result<Option<Secret>> {
    if let Some(path) = &args.token_file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::fix(format!("cannot read the token file '{}'", path.display())).because(error.to_string())
        })?;
        return Ok(Some(Secret::new(text.trim())));
    }
    Ok(std::env::var("SLUICE_TOKEN").ok().filter(|token| !token.trim().is_empty()).map(Secret::new))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn checked(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body: Value = response.json().await.unwrap_or_default();
    if let Ok(detail) = serde_json::from_value::<ErrorDetail>(body["detail"].clone()) {
        return Err(detail.into());
    }
    let messages: Vec<&str> = body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = messages.iter().find(|message| **message != "Internal server error.").copied();
    let error = Error::fix(text.map_or_else(|| format!("the server answered {status}"), str::to_owned));
    Err(if status == reqwest::StatusCode::UNAUTHORIZED {
        error.with_hint("pass --token-file FILE, or set SLUICE_TOKEN")
    } else {
        error
    })
}

async fn json(response: Response) -> Result<Value> {
    let response = checked(response).await?;
    response.json().await.map_err(|error| {
        Error::fix("the server's answer is not JSON").because(root_cause(&error)).with_hint("is this a Sluice server?")
    })
}

/// An answer of one JSON object a line.
pub(crate) struct Lines {
    response: Response,
    waiting: Vec<u8>,
}

impl Lines {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.waiting.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            let chunk = self.response.chunk().await.map_err(|error| {
                Error::retry("the connection to the server broke").because(root_cause(&error.without_url()))
            })?;
            match chunk {
                Some(bytes) => self.waiting.extend_from_slice(&bytes),
                None => return Ok((!self.waiting.is_empty()).then(|| std::mem::take(&mut self.waiting))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = |endpoint: &str| RestClient::new(endpoint, None).map(|client| client.base);
        assert_eq!(base("localhost:8083").unwrap(), "http://localhost:8083");
        assert_eq!(base("http://h:8081/").unwrap(), "http://h:8081");
        assert_eq!(base("https://h/v1").unwrap(), "https://h");
        assert_eq!(base("[::1]:8081").unwrap(), "http://[::1]:8081");
        for wrong in ["", "ftp://h", "http://", "a b"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}

//! Who may speak to the server.
//!
//! With a token, every request but those for health must carry `Authorization: Bearer TOKEN`.
//! Without one the server listens on loopback only, and the danger is the user's own browser: a
//! page from elsewhere that posts to `127.0.0.1:8081`, or a name that is re-bound to 127.0.0.1 to
//! read the answers. So the `Host` must be a loopback name, and an `Origin` must be that host.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sluice_model::Secret;

use crate::error::ApiError;
use crate::state::AppState;

/// Lets a request through, or answers it with 401 or 403.
pub(crate) async fn guard(State(state): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // The page itself holds nothing; it asks for the token and sends it with what it fetches.
    let public = path == "/" || path == "/health" || path.starts_with("/health/");
    let verdict = match &state.token {
        _ if !same_origin(request.headers()) => Err(forbidden("requests from other origins are refused")),
        Some(token) if !public && !carries(request.headers(), token) => Err(unauthorized()),
        None if !local_host(request.headers()) => {
            Err(forbidden("the Host of the request is not a loopback name; use 127.0.0.1 or localhost"))
        }
        _ => Ok(()),
    };
    match verdict {
        Ok(()) => next.run(request).await,
        Err(response) => *response,
    }
}

fn forbidden(message: &str) -> Box<Response> {
    Box::new(ApiError::new(StatusCode::FORBIDDEN, message).into_response())
}

fn unauthorized() -> Box<Response> {
    let message = "this server asks for a token: send the header 'Authorization: Bearer <token>'";
    let mut response = ApiError::new(StatusCode::UNAUTHORIZED, message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    Box::new(response)
}

fn carries(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, given) = given.split_once(' ').unwrap_or_default();
    scheme.eq_ignore_ascii_case("bearer") && equal(given.trim().as_bytes(), token.expose().trim().as_bytes())
}

/// Compares in a time that depends on the lengths only.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut difference = a.len() ^ b.len();
    for index in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(index).copied().unwrap_or(0), b.get(index).copied().unwrap_or(0));
        difference |= usize::from(x ^ y);
    }
    std::hint::black_box(difference) == 0
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

fn local_host(headers: &HeaderMap) -> bool {
    // HTTP/1.0 without a Host cannot come from a browser.
    let Some(host) = host_of(headers) else {
        return true;
    };
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().unwrap_or("null");
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some() && authority == host_of(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_token_must_be_the_whole_token() {
        let token = Secret::new("0123456789abcdef");
        assert!(carries(&headers(&[("authorization", "Bearer 0123456789abcdef")]), &token));
        assert!(carries(&headers(&[("authorization", "bearer 0123456789abcdef")]), &token));
        for wrong in ["Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer ", "0123456789abcdef", "Basic x"] {
            assert!(!carries(&headers(&[("authorization", wrong)]), &token), "{wrong}");
        }
        assert!(!carries(&headers(&[]), &token));
    }

    #[test]
    fn other_hosts_and_origins_are_refused() {
        for host in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "LOCALHOST"] {
            assert!(local_host(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example:8081", "127.0.0.1.evil.example", "10.0.0.1:8081", ""] {
            assert!(!local_host(&headers(&[("host", host)])), "{host}");
        }
        assert!(same_origin(&headers(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")])));
        assert!(!same_origin(&headers(&[("host", "localhost:8081"), ("origin", "http://evil.example")])));
        assert!(!same_origin(&headers(&[("host", "localhost:8081"), ("origin", "null")])));
    }
}

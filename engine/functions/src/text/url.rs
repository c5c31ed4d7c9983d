//! URLs.

use std::fmt::Write;

use arrow_array::ArrayRef;
use datafusion_common::Result;
use sluice_model::SqlType;

use super::codec::hex_byte;
use crate::function::{Call, Definition, Kind};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::String;
    vec![
        Definition::new("parse_url", &[String, String], SqlType::STRING, parse_url)
            .or(&[String, String, String])
            .nullable(),
        Definition::new("url_encode", &[String], SqlType::STRING, url_encode),
        Definition::new("url_decode", &[String], SqlType::STRING, url_decode).nullable(),
    ]
}

/// The parts of a URL, as `java.net.URL` names them.
struct Url<'u> {
    protocol: &'u str,
    authority: &'u str,
    path: &'u str,
    query: Option<&'u str>,
    reference: Option<&'u str>,
    /// Path and query.
    file: &'u str,
}

impl<'u> Url<'u> {
    fn parse(text: &'u str) -> Option<Self> {
        let (protocol, rest) = text.trim().split_once(':')?;
        if !matches!(protocol.to_ascii_lowercase().as_str(), "http" | "https" | "ftp" | "file" | "jar" | "mailto") {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        let (authority, file) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
            None => ("", rest),
        };
        let (path, query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(Self { protocol, authority, path, query, reference, file })
    }

    fn part(&self, name: &str) -> Option<&'u str> {
        let (user, host) = match self.authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, self.authority),
        };
        match name {
            "HOST" => {
                Some(host.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')).map_or(host, |(host, _)| host))
            }
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.reference,
            "PROTOCOL" => Some(self.protocol),
            "FILE" => Some(self.file),
            "AUTHORITY" => Some(self.authority).filter(|authority| !authority.is_empty()),
            "USERINFO" => user,
            _ => None,
        }
    }
}

fn parse_url(call: &Call<'_>) -> Result<ArrayRef> {
    let (urls, parts) = (call.strings(0)?, call.strings(1)?);
    let keys = (call.len() > 2).then(|| call.strings(2)).transpose()?;
    call.pick_strings(|row| {
        let part = parts.get(row)?;
        let value = Url::parse(urls.get(row)?)?.part(part)?;
        match &keys {
            Some(keys) => parameter(value, keys.get(row)?).filter(|_| part == "QUERY"),
            None => Some(value),
        }
    })
}

fn parameter<'q>(query: &'q str, key: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

fn url_encode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                _ => {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
        }
        Ok(true)
    })
}

/// `NULL` for an incomplete escape.
fn url_decode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.strings(0)?;
    let mut bytes = Vec::new();
    call.write_strings(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        bytes.clear();
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match (byte, tail) {
                (b'%', [high, low, tail @ ..]) => {
                    let Ok(byte) = hex_byte(*high, *low) else { return Ok(false) };
                    bytes.push(byte);
                    rest = tail;
                }
                (b'%', _) => return Ok(false),
                (b'+', _) => bytes.push(b' '),
                (byte, _) => bytes.push(*byte),
            }
        }
        out.push_str(&String::from_utf8_lossy(&bytes));
        Ok(true)
    })
}

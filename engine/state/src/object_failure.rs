//! What errors of an object store mean, and what helps.

use std::error::Error as _;
use std::io;

use object_store::Error as StoreError;
use object_store::client::{HttpError, HttpErrorKind};
use sluice_model::{Reaction, Secret};

use crate::storage::Failure;

/// The error of a request to `server` as one of a storage.
pub(crate) fn to_io(error: &StoreError, server: &str) -> io::Error {
    let text = whole_text(error);
    let code = between(&text, "<Code>", "</Code>").unwrap_or_default();
    let (kind, reaction, hint) = classify(error, code, server);
    io::Error::new(kind, Failure { why: Secret::mask_url(&reason(&text)), hint, reaction })
}

/// Whether a request was sent but its outcome is not known.
///
/// Requests that were not sent, or were answered with an error of the server, the client has sent
/// again by itself.
pub(crate) fn is_unanswered(error: &StoreError) -> bool {
    use HttpErrorKind::{Decode, Interrupted, Timeout, Unknown};
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(http) = error.downcast_ref::<HttpError>() {
            return matches!(http.kind(), Decode | Interrupted | Timeout | Unknown);
        }
        source = error.source();
    }
    false
}

fn classify(error: &StoreError, code: &str, server: &str) -> (io::ErrorKind, Reaction, String) {
    use io::ErrorKind::{AlreadyExists, NotFound, Other, PermissionDenied, Unsupported};
    let (fix, retry) = (Reaction::Fix, Reaction::Retry);
    match (code, error) {
        // A missing bucket must not look like a missing object.
        ("NoSuchBucket", _) => (Other, fix, format!("create the bucket on {server}, or correct its name")),
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken", _) => {
            (PermissionDenied, fix, CREDENTIALS.to_owned())
        }
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
            (Other, fix, REGION.to_owned())
        }
        ("NotImplemented", _) | (_, StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => (
            Unsupported,
            fix,
            format!("{server} does not know conditional writes ('If-None-Match'); use a store that does"),
        ),
        (_, StoreError::PermissionDenied { .. }) => (PermissionDenied, fix, PERMISSIONS.to_owned()),
        (_, StoreError::Unauthenticated { .. }) => (PermissionDenied, fix, CREDENTIALS.to_owned()),
        (_, StoreError::NotFound { .. }) => (NotFound, retry, format!("check what is in the bucket on {server}")),
        (_, StoreError::AlreadyExists { .. }) => (AlreadyExists, retry, "let only one process run this job".to_owned()),
        (_, other) => match whole_text(other) {
            text if METADATA.iter().any(|part| text.contains(part)) => {
                (PermissionDenied, fix, format!("no credentials were found; {CREDENTIALS}"))
            }
            text if text.contains("configured region") => (Other, fix, REGION.to_owned()),
            _ => (Other, retry, format!("check that {server} is up and can be reached ('s3.endpoint', 's3.region')")),
        },
    }
}

/// Where the machine's role is asked for when nothing else is set.
const METADATA: [&str; 3] = ["/latest/api/token", "/latest/meta-data", "://169.254."];
const CREDENTIALS: &str =
    "SET 's3.access-key' and 's3.secret-key', or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment";
const PERMISSIONS: &str =
    "the credentials need s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there";
const REGION: &str = "SET 's3.region' to the region of the bucket";

/// The error with all that caused it.
fn whole_text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// The sentence of the server, if it gave one, else what the client says behind its own bookkeeping.
fn reason(text: &str) -> String {
    if let (Some(code), Some(message)) = (between(text, "<Code>", "</Code>"), between(text, "<Message>", "</Message>"))
    {
        return format!("{code}: {message}");
    }
    // "Generic S3 error: Error performing PUT http://… in 1.2s, after 5 retries, … - HTTP error: …"
    let text = text.split_once(" retry_timeout: ").map_or(text, |(_, behind)| behind);
    let text = text.split_once(" - ").map_or(text, |(_, reason)| reason).trim();
    text.split('\n').next().unwrap_or(text).trim_end_matches(": ").to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(start)?;
    behind.split_once(end).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.to_owned().into() }
    }

    fn shown(error: &StoreError) -> (io::ErrorKind, String) {
        let error = to_io(error, "http://localhost:9000");
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let body = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
        let missing = |source: &str| StoreError::NotFound { path: "a".into(), source: source.to_owned().into() };
        assert_eq!(
            shown(&missing(body)),
            (io::ErrorKind::Other, "NoSuchBucket: The specified bucket does not exist".to_owned())
        );
        assert_eq!(shown(&missing("<Error><Code>NoSuchKey</Code></Error>")).0, io::ErrorKind::NotFound);
    }

    #[test]
    fn what_the_client_did_is_left_out() {
        let error = generic(
            "Error performing PUT http://localhost:9000/b/a in 1.2s, after 5 retries, max_retries: 5, \
             retry_timeout: 60s  - HTTP error: error sending request",
        );
        assert_eq!(shown(&error), (io::ErrorKind::Other, "HTTP error: error sending request".to_owned()));
    }

    #[test]
    fn a_signature_is_not_shown() {
        let error = generic(
            "403 <Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>\
             <AWSAccessKeyId>AKIA</AWSAccessKeyId><StringToSign>AWS4</StringToSign></Error>",
        );
        assert_eq!(
            shown(&error),
            (io::ErrorKind::PermissionDenied, "SignatureDoesNotMatch: It does not match.".into())
        );
    }
}

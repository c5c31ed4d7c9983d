//! Access to S3 and what speaks like it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use sluice_model::{Error, Result, Secret};

use crate::object::ObjectStorage;

/// How to get at buckets; what is `None` comes from the environment (`AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, a web identity or
/// the machine's role).
///
/// Names and meaning are those of Flink's S3 file systems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// `s3.access-key`. Only together with the secret key.
    pub access_key: Option<Secret>,
    /// `s3.secret-key`.
    pub secret_key: Option<Secret>,
    /// `s3.endpoint`: URL of a server other than Amazon's.
    pub endpoint: Option<String>,
    /// `s3.region`; `us-east-1` if the environment names none either.
    pub region: Option<String>,
    /// `s3.path.style.access`: whether the bucket stands in the path of requests instead of the
    /// host's name. Without it: yes for servers other than Amazon's.
    pub path_style: Option<bool>,
}

/// A request may take this long; those that carry data carry at most 16 MiB.
const TIMEOUT: &str = "60 seconds";
/// Requests that failed are sent again for this long: a checkpoint has a timeout of its own.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: usize = 5;

/// A client for a bucket. Sends nothing yet.
///
/// # Errors
/// Options that do not fit together.
pub(crate) fn bucket(name: &str, options: &S3Options) -> Result<ObjectStorage> {
    let environment =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let (builder, server) = builder(name, options, environment)?;
    let store = builder.build().map_err(|error| {
        Error::fix(format!("bucket '{name}' cannot be used for checkpoints"))
            .because(Secret::mask_url(&error.to_string()))
    })?;
    Ok(ObjectStorage::new(Arc::new(store), format!("s3://{name}"), server))
}

fn builder(
    bucket: &str,
    options: &S3Options,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(AmazonS3Builder, String)> {
    let mut builder = AmazonS3Builder::new();
    let mut endpoint = options.endpoint.clone();
    let given_keys = options.access_key.is_some() || options.secret_key.is_some();
    for (name, value) in environment.filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty()) {
        match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            Ok(AmazonS3ConfigKey::S3Endpoint) if options.endpoint.is_none() => endpoint = Some(value),
            Ok(AmazonS3ConfigKey::Endpoint) => endpoint = endpoint.or(Some(value)),
            // A key of the settings and a token of the environment do not belong together.
            Ok(AmazonS3ConfigKey::AccessKeyId | AmazonS3ConfigKey::SecretAccessKey | AmazonS3ConfigKey::Token)
                if given_keys => {}
            Ok(AmazonS3ConfigKey::S3Endpoint | AmazonS3ConfigKey::Bucket) | Err(_) => {}
            Ok(key) => builder = builder.with_config(key, value),
        }
    }
    match (&options.access_key, &options.secret_key) {
        (Some(access), Some(secret)) => {
            builder = builder.with_access_key_id(access.expose()).with_secret_access_key(secret.expose());
        }
        (None, None) => {}
        (None, Some(_)) => return Err(missing("s3.access-key", "s3.secret-key")),
        (Some(_), None) => return Err(missing("s3.secret-key", "s3.access-key")),
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    let endpoint = endpoint.as_deref().map(|endpoint| check_endpoint(endpoint.trim())).transpose()?;
    // A dot in the name would not fit the certificate of the host.
    let path_style = options.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    let server = endpoint.clone().unwrap_or_else(|| "Amazon S3".to_owned());
    if let Some(endpoint) = endpoint {
        builder = builder.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(if path_style { endpoint } else { with_bucket_host(&endpoint, bucket) });
    }
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    let builder = builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!path_style)
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT });
    Ok((builder, server))
}

fn missing(key: &str, other: &str) -> Error {
    Error::fix(format!("'{key}' is missing")).because(format!("'{other}' is set, and is of no use alone")).with_hint(
        format!("SET both, or neither, to use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment ('RESET {other}')"),
    )
}

/// An endpoint with its scheme and without a last slash.
fn check_endpoint(text: &str) -> Result<String> {
    // Flink takes a host alone, and means https.
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    if host.is_empty() || host.contains(['@', '?', '#', ' ']) {
        return Err(Error::fix(format!("'{}' is not an endpoint of S3", Secret::mask_url(text)))
            .with_hint("use a URL without user and password, such as http://localhost:9000"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// `http://localhost:9000` of bucket `a` as `http://a.localhost:9000`.
fn with_bucket_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::Reaction;

    use super::*;
    use crate::storage::Storage;

    fn options(endpoint: &str) -> S3Options {
        S3Options {
            access_key: Some(Secret::new("a")),
            secret_key: Some(Secret::new("s")),
            endpoint: Some(endpoint.to_owned()),
            ..S3Options::default()
        }
    }

    fn value(builder: &AmazonS3Builder, key: &str) -> Option<String> {
        builder.get_config_value(&key.parse().unwrap())
    }

    fn build(bucket: &str, options: &S3Options, environment: &[(&str, &str)]) -> (AmazonS3Builder, String) {
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        builder(bucket, options, environment).unwrap()
    }

    #[test]
    fn settings_go_before_the_environment() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "env"),
            ("AWS_SECRET_ACCESS_KEY", "env"),
            ("AWS_SESSION_TOKEN", "env"),
            ("AWS_ENDPOINT_URL_S3", "http://env"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let (set, server) = build("b", &options("http://localhost:9000/"), &environment);
        assert_eq!(server, "http://localhost:9000");
        assert_eq!(value(&set, "access_key_id").as_deref(), Some("a"));
        assert_eq!(value(&set, "session_token"), None);
        assert_eq!(value(&set, "endpoint").as_deref(), Some("http://localhost:9000"));
        assert_eq!(value(&set, "region").as_deref(), Some("eu-west-1"));
        let (env, server) = build("b", &S3Options::default(), &environment);
        assert_eq!((server.as_str(), value(&env, "session_token").as_deref()), ("http://env", Some("env")));
    }

    #[test]
    fn the_bucket_stands_in_the_path_or_in_the_host() {
        let shown = |bucket, options: &S3Options| {
            let (builder, _) = build(bucket, options, &[]);
            (value(&builder, "endpoint"), value(&builder, "virtual_hosted_style_request").unwrap())
        };
        assert_eq!(shown("b", &S3Options::default()), (None, "true".to_owned()));
        assert_eq!(shown("b.c", &S3Options::default()), (None, "false".to_owned()));
        assert_eq!(shown("b", &options("minio:9000")), (Some("https://minio:9000".into()), "false".into()));
        let hosted = S3Options { path_style: Some(false), ..options("http://minio:9000") };
        assert_eq!(shown("b", &hosted), (Some("http://b.minio:9000".into()), "true".into()));
    }

    #[test]
    fn half_of_the_credentials_and_odd_endpoints_are_refused() {
        let half = S3Options { secret_key: None, ..options("http://h") };
        assert_eq!(bucket("b", &half).unwrap_err().what(), "'s3.secret-key' is missing");
        let error = bucket("b", &options("ftp://u:hunter2@h")).unwrap_err();
        assert_eq!(error.what(), "'ftp://u:******@h' is not an endpoint of S3");
    }

    #[test]
    fn without_credentials_the_error_says_where_to_put_them() {
        let nobody = [("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")];
        let (builder, server) = build("b", &S3Options::default(), &nobody);
        let storage = ObjectStorage::new(Arc::new(builder.build().unwrap()), "s3://b".into(), server);
        let probe = async { tokio::task::spawn_blocking(move || storage.probe("s3://b/a".as_ref())).await.unwrap() };
        let error = crate::machine::run(probe).unwrap_err();
        assert_eq!(error.reaction(), Reaction::Fix, "{error}");
        assert!(error.hint().unwrap().starts_with("no credentials were found; SET 's3.access-key'"), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", S3Options { secret_key: Some(Secret::new("hunter2")), ..S3Options::default() });
        assert!(shown.contains("******") && !shown.contains("hunter2"));
    }
}

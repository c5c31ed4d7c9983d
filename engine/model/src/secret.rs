//! A value that cannot be printed.

use std::fmt;

/// A password, token or key. Its `Debug` and `Display` are `******`; it has no serialised form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself. Only for handing it to the server it belongs to.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is printed instead of a secret, as Flink does.
    pub const MASK: &'static str = "******";

    /// True for option keys whose values must never be shown.
    ///
    /// Flink masks keys that contain `password`, `secret` and the like
    /// (`GlobalConfiguration.isSensitive`), and so do we, with the keys of S3 and those that hold a
    /// private key as text (`ssl.key.pem` of librdkafka, `ssl.keystore.key` of Kafka's own client).
    /// JDBC URLs can carry a secret as well, see [`mask_url`](Self::mask_url).
    pub fn is_secret_key(key: &str) -> bool {
        const SENSITIVE: [&str; 18] = [
            "password",
            "secret",
            "token",
            "apikey",
            "api-key",
            "access-key",
            "access.key",
            "account.key",
            "service-key",
            "private-key",
            "private.key",
            "passphrase",
            "auth-params",
            "basic-auth",
            "http-headers",
            "jaas.config",
            "ssl.key.pem",
            "ssl.keystore.key",
        ];
        let key = key.to_ascii_lowercase();
        SENSITIVE.iter().any(|part| key.contains(part))
    }

    /// The value of option `key` as it may be shown: masked, or with secrets inside a URL masked.
    pub fn mask_option(key: &str, value: &str) -> String {
        if Self::is_secret_key(key) { Self::MASK.to_owned() } else { Self::mask_url(value) }
    }

    /// `text` with the password of a URL (`//user:password@`, `?password=…`) masked.
    pub fn mask_url(text: &str) -> String {
        let mut masked = text.to_owned();
        if let Some(start) = masked.find("//")
            && let Some(at) = masked[start..].find('@').map(|at| start + at)
            && let Some(colon) = masked[start + 2..at].find(':').map(|colon| start + 2 + colon)
            && !masked[start + 2..at].contains('/')
        {
            masked.replace_range(colon + 1..at, Self::MASK);
        }
        let mut from = 0;
        while let Some(query) = masked[from..].find(['?', '&', ';']).map(|at| from + at + 1) {
            let end = masked[query..].find(['&', ';']).map_or(masked.len(), |end| query + end);
            let equals = masked[query..end].find('=').map(|equals| query + equals);
            if let Some(equals) = equals
                && Self::is_secret_key(&masked[query..equals])
            {
                masked.replace_range(equals + 1..end, Self::MASK);
            }
            from = query;
        }
        masked
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "****** ******");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn masks_options_and_urls() {
        assert_eq!(Secret::mask_option("password", "x"), "******");
        assert_eq!(Secret::mask_option("hostname", "x"), "x");
        for key in ["s3.access-key", "s3.secret-key", "fs.s3a.access.key", "properties.ssl.key.pem", "ssl.keystore.key"]
        {
            assert_eq!(Secret::mask_option(key, "x"), "******", "{key}");
        }
        for key in ["s3.endpoint", "ssl.keystore.location", "ssl.certificate.pem", "primary-key"] {
            assert_eq!(Secret::mask_option(key, "x"), "x", "{key}");
        }
        assert_eq!(
            Secret::mask_option("url", "jdbc:postgresql://h:5432/db?user=a&password=b&ssl=true"),
            "jdbc:postgresql://h:5432/db?user=a&password=******&ssl=true"
        );
        assert_eq!(Secret::mask_option("url", "http://a:b@h/x"), "http://a:******@h/x");
    }
}

//! The settings of the store.

use std::path::PathBuf;

use pando_telemetry::Secret;
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

use crate::ObjectsError;

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectsOptions {
    /// The folder, when no bucket is named.
    pub path: PathBuf,
    /// An S3, when its bucket is named.
    pub s3: S3Options,
}

/// An S3, or what speaks its protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Options {
    /// The bucket, which must be there. Without it: the folder.
    pub bucket: Option<String>,
    /// Where the server is; without it: that of AWS in the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The credentials.
    pub access_key: Option<String>,
    /// Our secret.
    pub secret_key: Option<Secret>,
    /// Whether the bucket is named in the path of a URL; in the host name otherwise.
    pub path_style: bool,
    /// The beginning of every key.
    pub prefix: String,
    /// Larger objects are sent in parts.
    pub multipart_bytes_min: usize,
    /// How large a part is.
    pub part_bytes: usize,
    /// How often a request is tried again.
    pub retries: usize,
    /// No request is tried again after this time.
    pub retry_ms: u64,
    /// How long connecting may take.
    pub connect_ms: u64,
    /// How long a request may take up to the head of its answer, and how long an answer may pause.
    pub request_ms: u64,
    /// The authorities that are trusted if the endpoint is https. The program sets them, no settings file.
    #[serde(skip)]
    pub tls: Tls,
}

impl Default for ObjectsOptions {
    fn default() -> Self {
        Self { path: PathBuf::from("objects"), s3: S3Options::default() }
    }
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            bucket: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key: None,
            secret_key: None,
            path_style: true,
            prefix: String::new(),
            multipart_bytes_min: 16 * 1024 * 1024,
            part_bytes: 8 * 1024 * 1024,
            retries: 5,
            retry_ms: 10_000,
            connect_ms: 2_000,
            request_ms: 10_000,
            tls: Tls::default(),
        }
    }
}

impl ObjectsOptions {
    /// Whether these can work.
    pub fn check(&self) -> Result<(), ObjectsError> {
        let bad =
            |setting, reason: &str| Err(ObjectsError::BadSetting { setting, reason: reason.to_owned() });
        let s3 = &self.s3;
        if self.path.as_os_str().is_empty() {
            return bad("path", "must name a folder");
        }
        if s3.bucket.is_none() {
            return match (&s3.endpoint, &s3.access_key) {
                (None, None) => Ok(()),
                _ => bad("s3.bucket", "must be set if another setting of the S3 is set"),
            };
        }
        if s3.access_key.is_none() || s3.secret_key.is_none() {
            return bad("s3.access_key", "must be set together with s3.secret_key if there is a bucket");
        }
        let endpoint = s3.endpoint.as_deref().map(str::parse::<http::Uri>);
        let schemes = [Some("http"), Some("https")];
        if endpoint.is_some_and(|uri| uri.map_or(true, |uri| !schemes.contains(&uri.scheme_str()))) {
            return bad("s3.endpoint", "must begin with http:// or https://");
        }
        let letters = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if !s3.prefix.chars().all(letters) || s3.prefix.starts_with('/') || s3.prefix.contains("..") {
            return bad("s3.prefix", "may contain letters, digits, - _ . and /, and must not begin with /");
        }
        // What S3 takes.
        if !(5 * 1024 * 1024..=1024 * 1024 * 1024).contains(&s3.part_bytes) {
            return bad("s3.part_bytes", "is not within 5242880 and 1073741824");
        }
        if s3.multipart_bytes_min < s3.part_bytes {
            return bad("s3.multipart_bytes_min", "must be at least s3.part_bytes");
        }
        let times = [
            ("s3.retry_ms", s3.retry_ms),
            ("s3.connect_ms", s3.connect_ms),
            ("s3.request_ms", s3.request_ms),
        ];
        match times.into_iter().find(|(_, ms)| !(1..=600_000).contains(ms)) {
            Some((setting, _)) => bad(setting, "is not within 1 and 600000"),
            None if s3.retries > 100 => bad("s3.retries", "is not within 0 and 100"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3() -> S3Options {
        S3Options {
            bucket: Some("b".into()),
            access_key: Some("a".into()),
            secret_key: Some(Secret::new("opensesame")),
            ..S3Options::default()
        }
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let check = |s3: S3Options| ObjectsOptions { s3, ..ObjectsOptions::default() }.check();
        assert!(ObjectsOptions::default().check().is_ok());
        assert!(check(s3()).is_ok());
        for (bad, name) in [
            (S3Options { secret_key: None, ..s3() }, "s3.access_key"),
            (S3Options { bucket: None, ..s3() }, "s3.bucket"),
            (S3Options { endpoint: Some("minio:9000".into()), ..s3() }, "s3.endpoint"),
            (S3Options { prefix: "../x".into(), ..s3() }, "s3.prefix"),
            (S3Options { part_bytes: 1, ..s3() }, "s3.part_bytes"),
            (S3Options { multipart_bytes_min: 1, ..s3() }, "s3.multipart_bytes_min"),
            (S3Options { request_ms: 0, ..s3() }, "s3.request_ms"),
        ] {
            assert!(check(bad).is_err_and(|error| error.to_string().contains(name)), "{name}");
        }
    }

    #[test]
    fn secrets_are_shown_to_nobody() {
        let options = ObjectsOptions { s3: s3(), ..ObjectsOptions::default() };
        assert!(!format!("{options:?}").contains("sesame"));
        assert!(serde_json::to_string(&options).is_ok_and(|text| !text.contains("sesame")));
    }
}

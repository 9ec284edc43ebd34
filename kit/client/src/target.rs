//! The server that an address names.

use http::Uri;

use crate::ClientError;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// `host` or `host:port`, as the address has it.
    pub authority: String,
    /// The whole address.
    pub uri: Uri,
}

impl Target {
    /// The target of a text; the error says what the address must be.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let absolute = ClientError::BadAddress { reason: "must be an absolute address" };
        Self::of(&url.parse().map_err(|_| absolute)?)
    }

    /// The target of a request.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ClientError> {
        let bad = |reason| ClientError::BadAddress { reason };
        let authority = uri.authority().ok_or_else(|| bad("must be an absolute address"))?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("must begin with http:// or https://")),
        };
        if authority.as_str().contains('@') {
            return Err(bad("must not hold a user or a password"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // The crate http treats an invalid port, such as 99999, as if there were no port.
        let after_host = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
        let named =
            after_host.rsplit_once(':').map(|(_, port)| port.parse::<u16>().ok().filter(|port| *port > 0));
        if host.is_empty() || named == Some(None) {
            return Err(bad("must name a host, and a port from 1 to 65535 if it names one"));
        }
        let port = named.flatten().unwrap_or(if encrypted { 443 } else { 80 });
        let authority = authority.as_str().to_owned();
        Ok(Self { host, port, encrypted, authority, uri: uri.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let target = Target::parse("http://example.org:8080/a?b=c").expect("an address");
        assert_eq!((target.host.as_str(), target.port, target.encrypted), ("example.org", 8080, false));
        assert_eq!(target.authority, "example.org:8080");
        let target = Target::parse("http://[2606:4700::1111]").expect("an address");
        assert_eq!((target.host.as_str(), target.port), ("2606:4700::1111", 80));
        let target = Target::parse("https://example.org/a").expect("an address");
        assert_eq!((target.host.as_str(), target.port, target.encrypted), ("example.org", 443, true));
        for bad in ["", "/a", "ftp://a/", "http://u:p@a/", "https://u:p@a/", "http://", "https://"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
        for bad in ["http://a:99999/", "http://a:0/", "http://a:/", "http://:80/", "http://[::1]:99999/"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}

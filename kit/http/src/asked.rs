//! The headers of a request that the edge looks at.

use http::{HeaderMap, HeaderValue};

use crate::compression::accepts_compression;
use crate::connection::Connection;
use crate::proxies::is_local_origin;

/// The headers the edge looks at, found in one pass: each look-up by name would hash it again.
#[derive(Default)]
pub(crate) struct Asked<'r> {
    pub(crate) request_id: Option<&'r HeaderValue>,
    pub(crate) timeout: Option<&'r HeaderValue>,
    pub(crate) consistency: Option<&'r HeaderValue>,
    pub(crate) headers: usize,
    pub(crate) hosts: usize,
    pub(crate) bad_host: bool,
    pub(crate) foreign_host: bool,
    /// A page from elsewhere sends it: a browser lets any page write here, though not read what comes back.
    pub(crate) foreign_origin: bool,
    pub(crate) transfers: usize,
    pub(crate) bad_transfer: bool,
    pub(crate) has_length: bool,
    pub(crate) encoded: bool,
    pub(crate) accepts_compression: bool,
    /// Whether there is an `If-None-Match`.
    pub(crate) conditional: bool,
}

impl<'r> Asked<'r> {
    pub(crate) fn read(headers: &'r HeaderMap, connection: &Connection) -> Self {
        let mut asked = Self { headers: headers.len(), ..Self::default() };
        for (name, value) in headers {
            match name.as_str() {
                "host" => {
                    asked.hosts += 1;
                    let host = connection.host(value.as_bytes());
                    asked.bad_host |= !host.readable;
                    asked.foreign_host |= !host.local;
                }
                "origin" => asked.foreign_origin |= !is_local_origin(value.as_bytes()),
                "content-length" => asked.has_length = true,
                "transfer-encoding" => {
                    asked.transfers += 1;
                    asked.bad_transfer |= !value.as_bytes().eq_ignore_ascii_case(b"chunked");
                }
                "x-request-id" => asked.request_id = Some(value),
                "request-timeout" => asked.timeout = Some(value),
                "pando-consistency" => asked.consistency = Some(value),
                "content-encoding" => asked.encoded |= !value.as_bytes().eq_ignore_ascii_case(b"identity"),
                "accept-encoding" => asked.accepts_compression |= accepts_compression(value),
                "if-none-match" => asked.conditional = true,
                _ => {}
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CONSISTENCY_TOKEN, REQUEST_ID};

    #[test]
    fn the_headers_that_others_name_are_the_ones_read() {
        let mut headers = HeaderMap::new();
        headers.insert(CONSISTENCY_TOKEN, HeaderValue::from_static("1"));
        headers.insert(REQUEST_ID, HeaderValue::from_static("2"));
        headers.insert(http::header::IF_NONE_MATCH, HeaderValue::from_static("3"));
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let connection = Connection::new(peer, uuid::Uuid::nil(), pando_telemetry::Gauge::default());
        let asked = Asked::read(&headers, &connection);
        assert_eq!(asked.consistency.unwrap(), "1");
        assert_eq!(asked.request_id.unwrap(), "2");
        assert!(asked.conditional);
    }
}

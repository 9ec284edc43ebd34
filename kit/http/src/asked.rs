//! The headers of a request that the edge looks at.

use http::HeaderMap;

use crate::compression::accepts_compression;
use crate::connection::Connection;
use crate::proxies::is_local_origin;

/// The headers the edge looks at, found in one pass: each look-up by name would hash it again.
#[derive(Default)]
pub(crate) struct Asked<'r> {
    pub(crate) request_id: Option<&'r [u8]>,
    pub(crate) timeout: Option<&'r [u8]>,
    pub(crate) consistency: Option<&'r [u8]>,
    pub(crate) headers: usize,
    pub(crate) hosts: usize,
    pub(crate) bad_host: bool,
    pub(crate) foreign_host: bool,
    /// A page from elsewhere sends it: a browser lets any page write here, though not read what comes back.
    pub(crate) foreign_origin: bool,
    pub(crate) transfers: usize,
    pub(crate) bad_transfer: bool,
    pub(crate) has_length: bool,
    /// Something about the connection itself: what hyper does with it is hyper's to know.
    pub(crate) of_connection: bool,
    pub(crate) encoded: bool,
    pub(crate) accepts_compression: bool,
    /// Whether there is an `If-None-Match`.
    pub(crate) conditional: bool,
}

impl<'r> Asked<'r> {
    pub(crate) fn read(headers: &'r HeaderMap, connection: &Connection) -> Self {
        let mut asked = Self::default();
        for (name, value) in headers {
            asked.note(name.as_str().as_bytes(), value.as_bytes(), connection);
        }
        asked
    }

    /// Takes one header down; `name` in lower case.
    pub(crate) fn note(&mut self, name: &[u8], value: &'r [u8], connection: &Connection) {
        self.headers += 1;
        match name {
            b"host" => {
                self.hosts += 1;
                let host = connection.host(value);
                self.bad_host |= !host.readable;
                self.foreign_host |= !host.local;
            }
            b"origin" => self.foreign_origin |= !is_local_origin(value),
            b"content-length" => self.has_length = true,
            b"transfer-encoding" => {
                self.transfers += 1;
                self.bad_transfer |= !value.eq_ignore_ascii_case(b"chunked");
            }
            b"connection" => self.of_connection |= !value.eq_ignore_ascii_case(b"keep-alive"),
            b"upgrade" | b"expect" | b"http2-settings" => self.of_connection = true,
            b"x-request-id" => self.request_id = Some(value),
            b"request-timeout" => self.timeout = Some(value),
            b"pando-consistency" => self.consistency = Some(value),
            b"content-encoding" => self.encoded |= !value.eq_ignore_ascii_case(b"identity"),
            b"accept-encoding" => self.accepts_compression |= accepts_compression(value),
            b"if-none-match" => self.conditional = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
        assert_eq!(asked.consistency.unwrap(), b"1");
        assert_eq!(asked.request_id.unwrap(), b"2");
        assert!(asked.conditional);
    }
}

//! The headers of a request that the edge looks at.

use http::HeaderMap;

use crate::browser::Browser;
use crate::compression::accepts_compression;
use crate::connection::Connection;
use crate::encoding::Encoding;
use crate::proxies::is_local_origin;

/// The names that [`Asked::note`] knows, in lower case. What reads heads itself makes room for the longest.
pub(crate) const NAMES: [&str; 25] = [
    "host",
    "origin",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "expect",
    "http2-settings",
    "authorization",
    "x-api-key",
    "x-request-id",
    "request-timeout",
    "pando-consistency",
    "content-encoding",
    "accept-encoding",
    "if-none-match",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cookie",
    "x-csrf-token",
    "sec-fetch-site",
];

/// The length of the longest of them.
pub(crate) const LONGEST_NAME: usize = {
    let (mut longest, mut at) = (0, 0);
    while at < NAMES.len() {
        if NAMES[at].len() > longest {
            longest = NAMES[at].len();
        }
        at += 1;
    }
    longest
};

// The buffer for it is on the stack of every request; a longer name would be seen by hyper's way and not by the wire's.
const _: () = assert!(LONGEST_NAME <= 24);

/// The headers the edge looks at, found in one pass: each look-up by name would hash it again.
#[derive(Default)]
pub(crate) struct Asked<'r> {
    /// The value of `Authorization` or `X-API-Key`.
    pub(crate) credential: Option<&'r [u8]>,
    /// Whether it stood in `Authorization`.
    pub(crate) is_bearer: bool,
    pub(crate) credentials: usize,
    pub(crate) browser: Browser<'r>,
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
    /// A header about the connection itself, which hyper handles.
    pub(crate) of_connection: bool,
    pub(crate) encoded: bool,
    pub(crate) accepts_compression: bool,
    /// Which of the encodings that are kept the caller takes.
    pub(crate) encoding: Encoding,
    /// A proxy names the caller it speaks for.
    pub(crate) forwarded: bool,
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
                self.browser.host = Some(value);
                let host = connection.host(value);
                self.bad_host |= !host.readable;
                self.foreign_host |= !host.local;
            }
            b"origin" => {
                self.foreign_origin |= !is_local_origin(value);
                self.browser.origin = Some(value);
            }
            b"content-length" => self.has_length = true,
            b"transfer-encoding" => {
                self.transfers += 1;
                self.bad_transfer |= !value.eq_ignore_ascii_case(b"chunked");
            }
            b"connection" => self.of_connection |= !value.eq_ignore_ascii_case(b"keep-alive"),
            b"upgrade" | b"expect" | b"http2-settings" => self.of_connection = true,
            b"authorization" | b"x-api-key" => {
                self.credentials += 1;
                self.credential = Some(value);
                self.is_bearer = name.len() == 13;
            }
            b"x-request-id" => self.request_id = Some(value),
            b"request-timeout" => self.timeout = Some(value),
            b"pando-consistency" => self.consistency = Some(value),
            b"content-encoding" => self.encoded |= !value.eq_ignore_ascii_case(b"identity"),
            b"accept-encoding" => {
                self.accepts_compression |= accepts_compression(value);
                self.encoding = Encoding::accepted(value);
            }
            b"cookie" => self.browser.note_cookies(value),
            b"x-csrf-token" => self.browser.csrf = Some(value),
            b"sec-fetch-site" => self.browser.site = Some(value),
            b"forwarded" | b"x-forwarded-proto" => {
                self.forwarded = true;
                self.browser.note_protocol(value);
            }
            b"via" | b"x-forwarded-for" | b"x-forwarded-host" | b"x-real-ip" => self.forwarded = true,
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
    fn every_name_that_is_looked_for_is_in_the_list() {
        let source = include_str!("asked.rs");
        let body = &source[source.find("match name {").unwrap()..source.find("_ => {}").unwrap()];
        let looked_for = body.split("b\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        // Values stand there, too; what is looked for stands before an arrow or a bar.
        let values = ["chunked", "keep-alive", "identity"];
        let mut names: Vec<&str> = looked_for.filter(|name| !values.contains(name)).collect();
        let mut listed = NAMES.to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed);
    }

    #[test]
    fn the_headers_that_others_name_are_the_ones_read() {
        let mut headers = HeaderMap::new();
        headers.insert(CONSISTENCY_TOKEN, HeaderValue::from_static("1"));
        headers.insert(REQUEST_ID, HeaderValue::from_static("2"));
        headers.insert(http::header::IF_NONE_MATCH, HeaderValue::from_static("3"));
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let connection = Connection::new(peer, uuid::Uuid::nil(), pando_telemetry::Gauge::default(), false);
        let asked = Asked::read(&headers, &connection);
        assert_eq!(asked.consistency.unwrap(), b"1");
        assert_eq!(asked.request_id.unwrap(), b"2");
        assert!(asked.conditional);
    }
}

//! Browsers: the cookie of a session, and how the server tells its own pages from those of others.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use crate::caller::context;
use crate::proxies::is_local_host;
use crate::{Code, Problem};

/// The header in which a page of ours sends the token of its session.
pub const CSRF_TOKEN: &str = "x-csrf-token";
const FETCH_SITE: &str = "sec-fetch-site";
/// Cookies with this prefix come from this very host, and were set over HTTPS.
const HOST_PREFIX: &str = "__Host-pando_";
const PREFIX: &str = "pando_";
const SESSION: &str = "session";

/// The headers that only browsers send.
#[derive(Default)]
pub(crate) struct Browser<'r> {
    /// The cookie with the prefix, and the one without.
    sessions: [Option<&'r [u8]>; 2],
    /// A session cookie is there twice.
    doubled: bool,
    pub(crate) csrf: Option<&'r [u8]>,
    pub(crate) site: Option<&'r [u8]>,
    pub(crate) origin: Option<&'r [u8]>,
    pub(crate) host: Option<&'r [u8]>,
    says_https: bool,
}

/// The parts of a request that a log-in depends on. An extractor.
pub struct BrowserRequest {
    /// The cookie of the session.
    pub session: Option<String>,
    /// Whether the browser encrypts what it sends: to this server, or to a trusted proxy in front of it.
    pub encrypted: bool,
    /// `host` or `host:port`, as the browser names this server.
    pub authority: String,
    csrf: Option<String>,
    is_foreign: bool,
    headers: HeaderMap,
}

impl<'r> Browser<'r> {
    fn read(headers: &'r HeaderMap) -> Self {
        let mut browser = Self::default();
        headers.get_all(header::COOKIE).iter().for_each(|value| browser.note_cookies(value.as_bytes()));
        let one = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        (browser.csrf, browser.site) = (one(CSRF_TOKEN), one(FETCH_SITE));
        (browser.origin, browser.host) = (one("origin"), one("host"));
        browser
    }

    /// Takes down the sessions of a `Cookie`.
    pub(crate) fn note_cookies(&mut self, value: &'r [u8]) {
        for (place, prefix) in [HOST_PREFIX, PREFIX].into_iter().enumerate() {
            for found in cookies(value, prefix, SESSION) {
                self.doubled |= self.sessions[place].replace(found).is_some();
            }
        }
    }

    /// Takes down what a proxy says about the client's connection: `https`, or `proto=https` within `Forwarded`.
    pub(crate) fn note_protocol(&mut self, value: &[u8]) {
        let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let mut parts = last.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        self.says_https |= value.eq_ignore_ascii_case(b"https")
            || parts.any(|part| {
                part.eq_ignore_ascii_case(b"proto=https") || part.eq_ignore_ascii_case(b"proto=\"https\"")
            });
    }

    /// Whether the client's connection is encrypted: ours, or that to a proxy that we trust.
    pub(crate) fn is_encrypted(&self, ours: bool, is_trusted: impl Fn(IpAddr) -> bool, peer: IpAddr) -> bool {
        ours || self.says_https && is_trusted(peer.to_canonical())
    }

    /// The session. Over an encrypted connection only the cookie with the prefix counts: a neighbour in the same domain, or
    /// somebody on the way of an unencrypted request, could have set the other one.
    pub(crate) fn session(&self, encrypted: bool) -> Result<Option<&'r str>, ()> {
        if self.doubled {
            return Err(());
        }
        let session = self.sessions[usize::from(!encrypted)];
        session.map(|value| std::str::from_utf8(value).map_err(|_| ())).transpose()
    }

    /// Whether a page of another site sends this. A browser that sends neither header cannot be told from a program.
    pub(crate) fn is_foreign(&self) -> bool {
        match (self.site, self.origin) {
            (Some(site), _) => site != b"same-origin" && site != b"none",
            (None, Some(origin)) => {
                let host = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
                !host.zip(self.host).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
            }
            (None, None) => false,
        }
    }
}

/// The values of a cookie.
fn cookies<'r>(value: &'r [u8], prefix: &str, name: &str) -> impl Iterator<Item = &'r [u8]> {
    value.split(|byte| *byte == b';').filter_map(move |pair| {
        let rest = pair.trim_ascii().strip_prefix(prefix.as_bytes())?;
        rest.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    })
}

impl BrowserRequest {
    /// Refuses what a page of another site sends.
    pub fn from_our_site(&self) -> Result<(), Problem> {
        match self.is_foreign {
            true => Err(foreign()),
            false => Ok(()),
        }
    }

    /// Refuses a change in the name of a session that was not sent by a page of ours.
    pub fn from_our_page(&self, proves: impl Fn(&str, &str) -> bool) -> Result<(), Problem> {
        self.from_our_site()?;
        let proof = self.session.as_deref().zip(self.csrf.as_deref());
        match proof.is_some_and(|(session, csrf)| proves(session, csrf)) {
            true => Ok(()),
            false => Err(unproven()),
        }
    }

    /// Another cookie of ours.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let prefix = if self.encrypted { HOST_PREFIX } else { PREFIX };
        let values = self.headers.get_all(header::COOKIE).iter();
        let found = values.filter_map(|value| cookies(value.as_bytes(), prefix, name).next()).next()?;
        std::str::from_utf8(found).ok()
    }

    /// Refuses a log-in whose password or cookie somebody on the way could read.
    pub fn on_a_safe_way(&self) -> Result<(), Problem> {
        match self.encrypted || is_local_host(self.authority.as_bytes()) {
            true => Ok(()),
            false => Err(Problem::new(
                Code::Forbidden,
                "log in over HTTPS, or on this machine as localhost (is http.trusted_proxies set?)",
            )),
        }
    }

    /// Has the browser keep the session, or forget it.
    pub fn set_session(&self, value: Option<&str>, seconds: u64) -> HeaderValue {
        self.set_cookie(SESSION, value, seconds)
    }

    /// Has the browser keep a cookie for so long, or forget it. No script of a page can read it.
    pub fn set_cookie(&self, name: &str, value: Option<&str>, seconds: u64) -> HeaderValue {
        let (prefix, secure) = if self.encrypted { (HOST_PREFIX, "; Secure") } else { (PREFIX, "") };
        let seconds = if value.is_some() { seconds } else { 0 };
        let value = value.unwrap_or_default();
        let cookie =
            format!("{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Why a request of another site's page is refused.
pub(crate) fn foreign() -> Problem {
    Problem::new(Code::Forbidden, "a page of another site may not do this with your session")
}

/// Why a change that only has a cookie is refused.
pub(crate) fn unproven() -> Problem {
    Problem::new(
        Code::Forbidden,
        "a change with a session needs the header X-CSRF-Token: GET /api/v1/session returns its value",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for BrowserRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let encrypted = context(parts)?.encrypted;
        let mut browser = Browser::read(&parts.headers);
        let named = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
        browser.host = browser.host.or(named);
        let text = |value: Option<&[u8]>| value.and_then(|it| String::from_utf8(it.to_vec()).ok());
        Ok(Self {
            session: browser.session(encrypted).unwrap_or_default().map(str::to_owned),
            encrypted,
            authority: text(browser.host).unwrap_or_default(),
            csrf: text(browser.csrf),
            is_foreign: browser.is_foreign(),
            headers: parts.headers.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'r>(headers: &'r [(&'static str, &'static str)], map: &'r mut HeaderMap) -> Browser<'r> {
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Browser::read(map)
    }

    #[test]
    fn a_session_is_read_from_the_cookie_that_fits_the_connection() {
        for (cookie, encrypted, plain) in [
            ("a=1; __Host-pando_session=x; pando_session=y", Ok(Some("x")), Ok(Some("y"))),
            ("pando_session=y", Ok(None), Ok(Some("y"))),
            ("other_pando_session=y; pando_sessions=z", Ok(None), Ok(None)),
            ("pando_session=y;pando_session=z", Err(()), Err(())),
            ("pando_session", Ok(None), Ok(None)),
        ] {
            let mut map = HeaderMap::new();
            let headers = [("cookie", cookie)];
            let browser = with(&headers, &mut map);
            assert_eq!((browser.session(true), browser.session(false)), (encrypted, plain), "{cookie}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_known_by_what_browsers_say() {
        for (headers, foreign) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("origin", "https://pando.example:8443"), ("host", "pando.example:8443")], false),
            (&[("origin", "https://pando.example"), ("host", "pando.example:8443")], true),
            (&[("origin", "https://evil.example"), ("host", "pando.example")], true),
            (&[("origin", "null"), ("host", "pando.example")], true),
        ] {
            let mut map = HeaderMap::new();
            assert_eq!(with(headers, &mut map).is_foreign(), foreign, "{headers:?}");
        }
    }

    #[test]
    fn a_proxy_says_that_the_client_speaks_https() {
        for (value, says) in [
            ("https", true),
            ("http", false),
            ("for=192.0.2.1;proto=https", true),
            ("for=192.0.2.1;proto=https, for=10.0.0.1;proto=http", false),
        ] {
            let mut browser = Browser::default();
            browser.note_protocol(value.as_bytes());
            let trusted = |address: IpAddr| address.is_loopback();
            for (peer, trusts) in [("127.0.0.1", true), ("192.0.2.7", false)] {
                let peer = peer.parse().unwrap();
                assert_eq!(browser.is_encrypted(false, trusted, peer), says && trusts, "{value}");
                assert!(browser.is_encrypted(true, trusted, peer));
            }
        }
    }
}

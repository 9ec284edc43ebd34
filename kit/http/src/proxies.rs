//! The peers whose word about the client's address is believed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::HttpError;

/// Where proxies tell whom they speak for.
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";

/// The networks whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Vec<Network>);

/// Addresses that begin with the same bits: `10.0.0.0/8`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl TrustedProxies {
    pub(crate) fn parse(list: &[String]) -> Result<Self, HttpError> {
        let networks =
            list.iter().map(|text| Network::parse(text).ok_or_else(|| HttpError::Proxy(text.clone())));
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// The client: read from the right, the first address that is not a proxy of ours. `named` gives the lines of a
    /// header: `X-Forwarded-For` is asked for, and `Forwarded` (RFC 7239) where that is not there.
    pub(crate) fn client<'h, I>(&self, peer: IpAddr, named: impl Fn(&'static str) -> I) -> IpAddr
    where
        I: Iterator<Item = &'h [u8]>,
    {
        let mut client = peer.to_canonical();
        if self.0.is_empty() || !self.trusts(client) {
            return client;
        }
        let mut lines: Vec<&[u8]> = named(FORWARDED_FOR).collect();
        if lines.is_empty() {
            lines = named(FORWARDED).collect();
        }
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
            // An entry that our proxy did not understand cannot be trusted, and neither can the entries before it.
            let Some(address) = std::str::from_utf8(hop).ok().and_then(address_of) else { break };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The address in a hop: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, or `for="[2001:db8::1]:80";proto=https`.
fn address_of(hop: &str) -> Option<IpAddr> {
    let named = hop.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let text = named.unwrap_or(hop).trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Whether a `Host` can be read: a name or an address, and perhaps a port.
pub(crate) fn is_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let (name_fits, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, rest)) => (
            address.parse::<std::net::Ipv6Addr>().is_ok() && (rest.is_empty() || rest.starts_with(':')),
            rest,
        ),
        None => {
            let end = host.find(':').unwrap_or(host.len());
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
            (end > 0 && host[..end].bytes().all(fits), &host[end..])
        }
    };
    name_fits && port.len() <= 6 && port.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}

/// Whether a `Host` is this machine as it names itself: `localhost`, or a loopback address.
pub(crate) fn is_local_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an `Origin` is a page of this machine.
pub(crate) fn is_local_origin(origin: &[u8]) -> bool {
    let host = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    host.is_some_and(|host| is_host(host) && is_local_host(host))
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// The network that a text names, if it names one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address = address.trim().parse::<IpAddr>().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let proxies = TrustedProxies::parse(&trusted).unwrap();
        let only = |header: &str| if header == FORWARDED_FOR { forwarded } else { &[] };
        let named = |header: &'static str| only(header).iter().map(|line| line.as_bytes());
        proxies.client(peer.parse().unwrap(), named).to_string()
    }

    #[test]
    fn forwarded_is_read_where_the_older_header_is_not_there() {
        let proxies = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).unwrap();
        for (line, expected) in [
            ("for=1.2.3.4", "1.2.3.4"),
            ("for=6.6.6.6, For=\"1.2.3.4:4711\";proto=https;by=10.0.0.1", "1.2.3.4"),
            ("proto=https;for=\"[2001:db8::1]:80\"", "2001:db8::1"),
            ("for=1.2.3.4, for=10.9.9.9", "1.2.3.4"),
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden, for=1.2.3.4", "1.2.3.4"),
        ] {
            let named = |header: &'static str| (header == FORWARDED).then_some(line.as_bytes()).into_iter();
            assert_eq!(proxies.client("10.0.0.1".parse().unwrap(), named).to_string(), expected, "{line}");
        }
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        for (trusted, peer, forwarded, expected) in [
            (&[][..], "10.0.0.1", &["1.2.3.4"][..], "10.0.0.1"),
            (&["10.0.0.0/8"], "11.0.0.1", &["1.2.3.4"], "11.0.0.1"),
            (&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["evil"], "10.0.0.1"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "\u{e9}, 1.2.3.4"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "\u{e9}, 10.9.9.9"], "10.9.9.9"),
            (&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "\u{e9}"], "10.0.0.1"),
            (&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4:50123"], "1.2.3.4"),
            (&["10.0.0.0/8"], "10.0.0.1", &["[2001:db8::1]:50123, 10.0.0.2:80"], "2001:db8::1"),
            (&["10.0.0.0/8"], "10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            (&["10.0.0.0/8"], "10.0.0.1", &[], "10.0.0.1"),
            (&["10.0.0.0/8"], "::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            (&["0.0.0.0/0"], "9.9.9.9", &["1.2.3.4"], "1.2.3.4"),
            (&["fd00::/8"], "fd00::1", &["2001:db8::1"], "2001:db8::1"),
            (&["127.0.0.1"], "127.0.0.1", &["1.2.3.4"], "1.2.3.4"),
        ] {
            assert_eq!(client(trusted, peer, forwarded), expected, "{trusted:?} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:80"] {
            assert!(is_local_host(host.as_bytes()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:8080", "10.0.0.1", "[::2]", "", "127.0.0.1.evil.example"]
        {
            assert!(!is_local_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn pages_of_this_machine_are_told_from_others() {
        for origin in ["http://localhost:8080", "https://127.0.0.1", "http://[::1]:5173"] {
            assert!(is_local_origin(origin.as_bytes()), "{origin}");
        }
        for origin in
            ["null", "", "localhost", "http://evil.example", "http://[::1].evil.example", "file://localhost"]
        {
            assert!(!is_local_origin(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in ["x", "x:80", "a.b-c:", "[::1]", "[::1]:8080", "127.0.0.1:1"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["", ":80", "a b", "a/b", "u@x", "x:y", "x:1:2", "[::1", "[x]", "[::1]x", "\u{e9}"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_network_that_cannot_be_read_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "proxy.local"] {
            assert!(TrustedProxies::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}

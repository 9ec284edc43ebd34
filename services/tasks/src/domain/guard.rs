//! Decides which addresses the server may call for clients: never its own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;
use pando_http::Network;
use pando_queue::QueueError;

/// The addresses that may be called: those that everybody can reach, and those of some networks.
#[derive(Clone, Debug)]
pub(crate) struct Reachable(Vec<Network>);

impl Reachable {
    /// Reads the networks that may be called although they are not public.
    pub(crate) fn parse(networks: &[String]) -> Result<Self, QueueError> {
        let one = |text: &String| {
            Network::parse(text).ok_or_else(|| QueueError::BadSetting {
                setting: "tasks.callback_networks".to_owned(),
                reason: format!("{text} is not a network such as 10.0.0.0/8"),
            })
        };
        networks.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.iter().any(|network| network.contains(address))
    }
}

/// Where a callback goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether what is said there is encrypted.
    pub(crate) encrypted: bool,
    /// `host` or `host:port`, as the address has it.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Target {
    /// The target that an address names; why it names none.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "must be an absolute address".to_owned())?;
        let authority = uri.authority().ok_or("must be an absolute address")?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("must begin with http:// or https://".to_owned()),
        };
        if authority.as_str().contains('@') {
            return Err("must not hold a user or a password".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // The crate http treats an invalid port, such as 99999, as if there were no port.
        let after_host = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
        let named =
            after_host.rsplit_once(':').map(|(_, port)| port.parse::<u16>().ok().filter(|port| *port > 0));
        if host.is_empty() || named == Some(None) {
            return Err("must name a host, and a port from 1 to 65535 if it names one".to_owned());
        }
        let port = named.flatten().unwrap_or(if encrypted { 443 } else { 80 });
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { host, port, encrypted, authority: authority.as_str().to_owned(), path })
    }

    /// Why this target can never be called, if that is clear without looking its name up.
    pub(crate) fn refusal(&self, reachable: &Reachable) -> Option<String> {
        let address = self.host.parse::<IpAddr>().ok()?;
        let refused = !reachable.allows(address);
        refused.then(|| format!("{address} is not an address that everybody can reach"))
    }

    /// An address of the host that may be called. The connection is made to this very address: a name that is
    /// looked up again may lead elsewhere.
    pub(crate) async fn resolve(&self, reachable: &Reachable) -> Result<SocketAddr, ResolveError> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|_| ResolveError::Unknown)?.collect();
        // One that is not public condemns the name: which one is taken must not matter.
        if found.iter().any(|address| !reachable.allows(address.ip())) {
            return Err(ResolveError::Private);
        }
        found.first().copied().ok_or(ResolveError::Unknown)
    }
}

/// Why a host cannot be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    /// The name leads nowhere, perhaps for the moment only.
    #[error("the name of the host cannot be resolved")]
    Unknown,
    /// It leads into a network that is not everybody's.
    #[error("the host is in a private network")]
    Private,
}

/// Whether everybody can reach this address, so that calling it for a stranger gives nothing away.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation();
    // This network; shared by carriers; protocol assignments; benchmarks; reserved.
    !(special
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // One of the old world in new clothes is judged as what it is.
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is in use on the net; of it not the tunnels, whose ends cannot be judged, and the examples.
    (0x2000..0x4000).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_can_reach_is_public() {
        for (address, public) in [
            ("93.184.216.34", true),
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("2002:a00:1::", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let target = Target::parse("http://example.org:8080/a?b=c").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("example.org", 8080, "/a?b=c")
        );
        let target = Target::parse("http://[2606:4700::1111]").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("2606:4700::1111", 80, "/"));
        let target = Target::parse("https://example.org/a").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.encrypted), ("example.org", 443, true));
        for bad in ["", "/a", "ftp://a/", "http://u:p@a/", "https://u:p@a/", "http://", "https://"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
        for bad in ["http://a:99999/", "http://a:0/", "http://a:/", "http://:80/", "http://[::1]:99999/"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_opens_nothing_else() {
        let reachable = Reachable::parse(&["127.0.0.0/8".to_owned(), "fd00::/8".to_owned()]).unwrap();
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("fd00::1", true),
            ("8.8.8.8", true),
            ("169.254.169.254", false),
            ("10.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(reachable.allows(address.parse().unwrap()), allowed, "{address}");
        }
        assert!(Reachable::parse(&["everywhere".to_owned()]).is_err());
    }
}

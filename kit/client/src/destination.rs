//! The servers that a client may call.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::{ClientError, Target};

/// The servers that a client may call.
#[derive(Clone)]
pub enum Destination {
    /// Any: operators have named the address, such as that of an S3.
    Trusted,
    /// Addresses that everybody can reach, because strangers name them; and those that the function allows besides.
    Public(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>),
}

impl Destination {
    /// Whether a connection to this address may be made.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Trusted => true,
            Self::Public(besides) => is_public(address) || besides(address),
        }
    }

    /// Why this target can never be called, if that is clear without looking its name up.
    pub fn refusal(&self, target: &Target) -> Option<String> {
        let address = target.host.parse::<IpAddr>().ok()?;
        let refused = !self.allows(address);
        refused.then(|| format!("{address} is not an address that everybody can reach"))
    }

    /// The addresses of a name. The connection is made to one of these: a name that is looked up again may lead elsewhere.
    pub(crate) async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, ClientError> {
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|_| ClientError::UnknownHost)?;
        let found: Vec<SocketAddr> = found.collect();
        // One that is not public condemns the name: which one is taken must not matter.
        if found.iter().any(|address| !self.allows(address.ip())) {
            return Err(ClientError::Private);
        }
        if found.is_empty() { Err(ClientError::UnknownHost) } else { Ok(found) }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trusted => "Trusted",
            Self::Public(_) => "Public",
        })
    }
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
            assert_eq!(is_public(address.parse().expect("an address")), public, "{address}");
        }
    }
}

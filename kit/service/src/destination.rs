//! The servers that callers may have this program call: never those of its own network.

use std::net::IpAddr;
use std::sync::Arc;

use pando_client::Destination;
use pando_http::Network;

use crate::BadSetting;

/// Addresses that everybody can reach, and those of the networks that an operator names in a setting.
pub fn destination(
    section: &'static str,
    name: &'static str,
    networks: &[String],
) -> Result<Destination, BadSetting> {
    let one = |text: &String| {
        let reason = || BadSetting::new(section, name, format!("{text} is not a network such as 10.0.0.0/8"));
        Network::parse(text).ok_or_else(reason)
    };
    let besides = networks.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let contained = move |address: IpAddr| besides.iter().any(|network| network.contains(address));
    Ok(Destination::Public(Arc::new(contained)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_allowed_opens_nothing_else() {
        let networks = ["127.0.0.0/8".to_owned(), "fd00::/8".to_owned()];
        let reachable = destination("test", "networks", &networks).unwrap();
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
        let error = destination("test", "networks", &["everywhere".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("everywhere"));
    }
}

//! Decides which addresses the server may call for clients: never its own network.

use std::net::IpAddr;
use std::sync::Arc;

use pando_client::Destination;
use pando_http::Network;
use pando_queue::QueueError;

/// The addresses that may be called: those that everybody can reach, and those of the networks that the operator names.
pub(crate) fn reachable(networks: &[String]) -> Result<Destination, QueueError> {
    let one = |text: &String| {
        Network::parse(text).ok_or_else(|| QueueError::BadSetting {
            setting: "tasks.callback_networks".to_owned(),
            reason: format!("{text} is not a network such as 10.0.0.0/8"),
        })
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
        let reachable = reachable(&["127.0.0.0/8".to_owned(), "fd00::/8".to_owned()]).unwrap();
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
        assert!(super::reachable(&["everywhere".to_owned()]).is_err());
    }
}

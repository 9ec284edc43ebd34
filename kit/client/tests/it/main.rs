//! The client against real servers on this machine: plain ones and such with TLS, well-behaved ones and others.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod answers;
mod certificates;
mod server;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use pando_client::{Client, ClientOptions, Destination};
use pando_resilience::Call;
use pando_tls::Tls;

fn trusting(tls: &Tls) -> Client {
    Client::new(&ClientOptions::default(), Destination::Trusted, tls).unwrap()
}

/// A client for addresses of strangers, and for those of this machine besides if `besides`.
fn public(besides: bool) -> Client {
    let destination = Destination::Public(Arc::new(move |address| besides && address.is_loopback()));
    Client::new(&ClientOptions::default(), destination, &Tls::default()).unwrap()
}

fn call() -> Call {
    Call::internal("request-7", Duration::from_secs(30))
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

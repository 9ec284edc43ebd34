//! Sealed values, blind indexes, the settings of keyrings, and the cryptography below them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod blind_index;
mod known_answers;
mod options;
mod seal;
mod secrecy;

use pando_vault::{KeyOptions, KeyText, Keyring, KeyringOptions};

const PLACE: [&str; 4] = ["acme", "customers", "email", "42"];
const FIELD: [&str; 2] = ["acme", "customers.email"];

/// A key whose bytes count up from `first`.
fn key(id: &str, first: u8) -> KeyOptions {
    let hex: String = (first..first + 32).map(|byte| format!("{byte:02x}")).collect();
    KeyOptions { id: id.to_owned(), key: Some(KeyText::new(hex)), key_file: None }
}

fn options(keys: &[KeyOptions], current: &str) -> KeyringOptions {
    KeyringOptions {
        keys: keys.to_vec(),
        current: Some(current.to_owned()),
        index_keys: vec![key("index-1", 32)],
    }
}

fn keyring(keys: &[KeyOptions], current: &str) -> Keyring {
    Keyring::new(&options(keys, current)).unwrap()
}

fn without_keys() -> Keyring {
    Keyring::new(&KeyringOptions::default()).unwrap()
}

#![doc = include_str!("../README.md")]

mod blind_index;
mod error;
mod keyring;
mod options;
mod seal;

pub use error::{KeyringError, VaultError};
pub use keyring::Keyring;
pub use options::{KeyOptions, KeyText, KeyringOptions};
pub use seal::PLAIN_BYTES_MAX;

//! The settings of a keyring, and the keys that they name.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::KeyringError;

/// The bytes of a key. Dropping them wipes them from memory.
pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Enough for any key. The rest of a key file is not read.
const FILE_BYTES_MAX: u16 = 1024;

/// The keys of fields and of blind indexes. Without any key, values are stored as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyringOptions {
    /// Every key that opens stored values.
    pub keys: Vec<KeyOptions>,
    /// The id of the key that seals new values.
    pub current: Option<String>,
    /// The key that makes new blind indexes. Look-ups also try a second one: the next, or the previous.
    pub index_keys: Vec<KeyOptions>,
}

/// A key: either `key` or `key_file` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyOptions {
    /// A name of up to 32 letters, digits, `-`, `_` and `.`. Every sealed value contains the id of its key.
    pub id: String,
    /// 32 bytes in base64 or hex.
    pub key: Option<KeyText>,
    /// A file that holds what `key` would.
    pub key_file: Option<PathBuf>,
}

impl KeyOptions {
    /// The key, which errors call by this name.
    pub(crate) fn read(&self, name: &str) -> Result<KeyBytes, KeyringError> {
        match (&self.key, &self.key_file) {
            (Some(text), None) => decode(name, &text.0),
            (None, Some(path)) => {
                // With room for all of the file: a text that grows leaves copies of itself in memory.
                let mut text = Zeroizing::new(String::with_capacity(2 * usize::from(FILE_BYTES_MAX)));
                File::open(path)
                    .and_then(|file| file.take(FILE_BYTES_MAX.into()).read_to_string(&mut text))
                    .map_err(|source| KeyringError::KeyFile(name.to_owned(), path.clone(), source))?;
                decode(name, &text)
            }
            _ => Err(KeyringError::KeySource(name.to_owned())),
        }
    }
}

fn decode(name: &str, text: &str) -> Result<KeyBytes, KeyringError> {
    let text = text.trim();
    // 32 bytes in base64 end in `=`, so they never look like hex.
    let bytes: Option<Vec<u8>> = if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
    } else {
        BASE64_STANDARD.decode(text).ok()
    };
    let bytes = Zeroizing::new(bytes.unwrap_or_default());
    let key = <[u8; 32]>::try_from(&bytes[..]).map(Zeroizing::new);
    key.map_err(|_| KeyringError::KeyForm(name.to_owned()))
}

/// A key in base64 or hex. `Debug` and `Serialize` write `***`, and dropping it wipes the text from memory.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// Keeps `text` out of sight. The text is checked when the keyring is made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

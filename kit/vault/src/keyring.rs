//! The keys of a process, checked and ready for use.

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};

use crate::options::KeyBytes;
use crate::seal::{header, is_key_id};
use crate::{KeyringError, KeyringOptions};

/// Seals and opens fields, and makes their blind indexes. Without keys, values stay as they are.
#[derive(Debug)]
pub struct Keyring {
    /// The keys, each behind the header of the values that it seals. The current one is the first.
    pub(crate) keys: Vec<(String, LessSafeKey)>,
    /// The current index key, and a second one during rotation.
    pub(crate) index_keys: Vec<hmac::Key>,
}

impl Keyring {
    /// Reads and checks the keys.
    pub fn new(options: &KeyringOptions) -> Result<Self, KeyringError> {
        let read = read_keys(options)?;
        let index_keys = options.index_keys.len();
        if (index_keys == 0) != options.keys.is_empty() || index_keys > 2 {
            return Err(KeyringError::IndexKeys(index_keys));
        }
        let (sealing, index) = read.split_at(options.keys.len());
        let mut keys = Vec::with_capacity(sealing.len());
        for (options, (name, key)) in options.keys.iter().zip(sealing) {
            let cipher = UnboundKey::new(&AES_256_GCM, &key[..]).map(LessSafeKey::new);
            let cipher = cipher.map_err(|_| KeyringError::KeyForm(name.clone()))?;
            keys.push((header(&options.id), cipher));
        }
        match options.keys.iter().position(|key| Some(&key.id) == options.current.as_ref()) {
            Some(current) => keys.swap(0, current),
            None if keys.is_empty() && options.current.is_none() => {}
            None => return Err(KeyringError::UnknownCurrent(options.current.clone().unwrap_or_default())),
        }
        let index_keys = index.iter().map(|(_, key)| hmac::Key::new(HMAC_SHA256, &key[..])).collect();
        Ok(Self { keys, index_keys })
    }
}

impl Keyring {
    /// Whether it seals anything.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }
}

/// Every key with its name, the index keys last.
fn read_keys(options: &KeyringOptions) -> Result<Vec<(String, KeyBytes)>, KeyringError> {
    let mut read: Vec<(String, KeyBytes)> = Vec::new();
    let sealing = options.keys.iter().map(|key| ("keys", key));
    for (list, options) in sealing.chain(options.index_keys.iter().map(|key| ("index_keys", key))) {
        let name = format!("{list}.{}", options.id);
        if !is_key_id(&options.id) {
            return Err(KeyringError::KeyId);
        }
        if read.iter().any(|(other, _)| *other == name) {
            return Err(KeyringError::DuplicateId(name));
        }
        let key = options.read(&name)?;
        if let Some((first, _)) = read.iter().find(|(_, other)| *other == key) {
            return Err(KeyringError::SameKey(first.clone(), name));
        }
        read.push((name, key));
    }
    Ok(read)
}

/// `head`, then each part behind its length: no other parts give the same bytes, wherever their ends are.
pub(crate) fn joined(head: &str, parts: &[&str]) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

//! Sealed values: `pando-vault:1:KEY-ID:BASE64URL(nonce, ciphertext, tag)`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{Aad, MAX_TAG_LEN, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};

use crate::keyring::joined;
use crate::{Keyring, VaultError};

/// The longest value that can be sealed: 1 MiB. Its sealed form has up to 1,398,186 bytes.
pub const PLAIN_BYTES_MAX: usize = 1024 * 1024;

/// How sealed values of every version begin. No value that is stored as it is begins like this.
const PREFIX: &str = "pando-vault:";
const VERSION: &str = "1:";

impl Keyring {
    /// Encrypts a value for the one place that `context` names: tenant, table, column, row id. The result is ASCII.
    ///
    /// Without keys, the result is the value itself; a value that looks sealed is then refused.
    pub fn seal(&self, context: &[&str], plain: &str) -> Result<String, VaultError> {
        if plain.len() > PLAIN_BYTES_MAX {
            return Err(VaultError::TooLong(plain.len()));
        }
        let Some((header, cipher)) = self.keys.first() else {
            let looks_sealed = plain.starts_with(PREFIX);
            return if looks_sealed { Err(VaultError::LooksSealed) } else { Ok(plain.to_owned()) };
        };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
        let mut bytes = Vec::with_capacity(NONCE_LEN + plain.len() + MAX_TAG_LEN);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain.as_bytes());
        let (nonce, place) = (Nonce::assume_unique_for_key(nonce), Aad::from(joined(header, context)));
        let tag = cipher.seal_in_place_separate_tag(nonce, place, &mut bytes[NONCE_LEN..]);
        bytes.extend_from_slice(tag.map_err(|_| VaultError::TooLong(plain.len()))?.as_ref());
        let mut sealed = String::with_capacity(header.len() + bytes.len().div_ceil(3) * 4);
        sealed.push_str(header);
        BASE64_URL_SAFE_NO_PAD.encode_string(&bytes, &mut sealed);
        Ok(sealed)
    }

    /// Decrypts what `seal` returned for the same context. A value that does not look sealed is returned as it is.
    pub fn open(&self, context: &[&str], stored: &str) -> Result<String, VaultError> {
        let Some(rest) = stored.strip_prefix(PREFIX) else { return Ok(stored.to_owned()) };
        let named = rest.strip_prefix(VERSION).and_then(|rest| rest.split_once(':'));
        let (id, text) = named.filter(|(id, _)| is_key_id(id)).ok_or(VaultError::Unreadable)?;
        let key = self.keys.iter().find(|(header, _)| stored.starts_with(header));
        let (header, cipher) = key.ok_or_else(|| VaultError::UnknownKey(id.to_owned()))?;
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| VaultError::Unreadable)?;
        let (nonce, sealed) = bytes.split_first_chunk_mut().ok_or(VaultError::Unreadable)?;
        let (nonce, place) = (Nonce::assume_unique_for_key(*nonce), Aad::from(joined(header, context)));
        let plain = cipher.open_in_place(nonce, place, sealed).map_err(|_| VaultError::Damaged)?;
        str::from_utf8(plain).map(str::to_owned).map_err(|_| VaultError::Damaged)
    }

    /// Whether a job should open this value and seal it again: there are keys, and the current one did not seal it.
    pub fn needs_reseal(&self, stored: &str) -> bool {
        self.keys.first().is_some_and(|(header, _)| !stored.starts_with(header))
    }
}

/// How the values begin that the key with this id seals.
pub(crate) fn header(id: &str) -> String {
    format!("{PREFIX}{VERSION}{id}:")
}

pub(crate) fn is_key_id(id: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=32).contains(&id.len()) && id.bytes().all(letter)
}

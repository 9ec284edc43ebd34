//! Blind indexes: `ix1:BASE64URL(first half of an HMAC)`, by which equal values are found.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

use crate::Keyring;
use crate::keyring::joined;

const PREFIX: &str = "ix1:";
const INDEX_BYTES: usize = 16;

impl Keyring {
    /// What to store beside a sealed value, so that it can be found: equal for equal values of the same context
    /// (tenant and field), and not readable. Without keys: the value itself.
    ///
    /// `normalised` is the form in which values are compared, such as an e-mail address in lower case.
    pub fn blind_index(&self, context: &[&str], normalised: &str) -> String {
        self.index_keys.first().map_or_else(|| normalised.to_owned(), |key| index(key, context, normalised))
    }

    /// What rows that hold this value may have stored: its index by the current key, its index by a second key, and the
    /// value itself, from before there were keys.
    pub fn blind_indexes(&self, context: &[&str], normalised: &str) -> Vec<String> {
        let indexes = self.index_keys.iter().map(|key| index(key, context, normalised));
        // A caller who gives the index of a value instead of the value must not find the row.
        let plain = self.index_keys.is_empty() || !normalised.starts_with(PREFIX);
        indexes.chain(plain.then(|| normalised.to_owned())).collect()
    }
}

fn index(key: &hmac::Key, context: &[&str], normalised: &str) -> String {
    let tag = hmac::sign(key, &joined(PREFIX, &[context, &[normalised]].concat()));
    let mut text = PREFIX.to_owned();
    BASE64_URL_SAFE_NO_PAD.encode_string(&tag.as_ref()[..INDEX_BYTES], &mut text);
    text
}

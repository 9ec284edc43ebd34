//! The ids of customers: any text that a caller has for them.

use pando_service::BadText;
use uuid::Uuid;

/// The longest id.
const BYTES_MAX: usize = 64;
/// As a part of a path they mean something else.
const RESERVED: [&str; 6] = [".", "..", "batch", "export", "import", "watch"];
/// In which ids that are no UUIDs have theirs.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1c_7d52_2f0b_5c1e_9a54_c0de_c057_0e25);

/// The id of a customer, as its callers write it. Rows, events and caches have a UUID for it: the id itself, if it is one
/// (but not of version 5), and otherwise a UUID of version 5 that is made of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerId {
    text: String,
    key: Uuid,
}

impl CustomerId {
    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=BYTES_MAX).contains(&text.len()) || !text.bytes().all(is_id) {
            return Err(BadText::value("must have 1 to 64 letters, digits, dots, underscores and hyphens"));
        }
        if RESERVED.contains(&text) {
            return Err(BadText::value(&format!(
                "must not be {text:?}, which means something else in a path"
            )));
        }
        // Only as we write them: other spellings of a UUID are texts of their own. So are those of version 5, one of which may
        // have been made of another text.
        let is_key = |uuid: &Uuid| uuid.get_version_num() != 5 && uuid.to_string() == text;
        let uuid = Uuid::try_parse(text).ok().filter(is_key);
        let key = uuid.unwrap_or_else(|| Uuid::new_v5(&NAMESPACE, text.as_bytes()));
        Ok(Self { text: text.to_owned(), key })
    }

    /// A new id.
    pub(crate) fn fresh(key: Uuid) -> Self {
        Self { text: key.to_string(), key }
    }

    /// As callers write it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the UUID of its rows itself.
    pub(crate) fn is_key(&self) -> bool {
        self.key.get_version_num() != 5
    }

    /// The UUID of its rows, events and caches.
    pub fn key(&self) -> Uuid {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_other_systems_are_ids() {
        let key = |text: &str| CustomerId::parse(text).unwrap().key();
        let uuid = "019b76da-a800-7000-8000-000000000001";
        assert_eq!(key(uuid).to_string(), uuid);
        for text in ["1", "cust_42", "existing-customer-id", "019B76DA-A800-7000-8000-000000000001", "a.b"] {
            assert_eq!(key(text), key(text));
            assert_ne!(key(text).to_string(), text);
            assert_eq!(CustomerId::parse(text).unwrap().as_str(), text);
        }
        assert_ne!(key("1"), key("2"));
        let made = key("1").to_string();
        assert_ne!(key(&made).to_string(), made, "the UUID of another customer is no id of it");
        assert_ne!(key("019B76DA-A800-7000-8000-000000000001"), key(uuid));
        let bad = ["", "a b", "a/b", "é", "x\n", &"x".repeat(65)];
        for bad in bad.into_iter().chain(RESERVED) {
            assert!(CustomerId::parse(bad).is_err(), "{bad:?}");
        }
    }
}

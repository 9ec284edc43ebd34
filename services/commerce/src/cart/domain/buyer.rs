//! The owner of a cart: a user, or a guest whom a random token in a cookie tells from others. Only a hash of the token is stored.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

const TOKEN_CONTEXT: &str = "pando 2026-11 guest of a cart";
const CART_CONTEXT: &str = "pando 2026-11 id of a cart";

/// The owner of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyer(String);

/// The token of a guest: 128 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestToken([u8; 16]);

impl Buyer {
    /// The user of this name.
    pub fn user(name: &str) -> Self {
        Self(format!("user:{name}"))
    }

    /// The guest with this token.
    pub fn guest(token: &GuestToken) -> Self {
        let hash = blake3::derive_key(TOKEN_CONTEXT, &token.0);
        Self(format!("guest:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }

    /// Its name, as the store has it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its name, as answers have it: nothing of a guest.
    pub(crate) fn shown(&self) -> &str {
        self.0.strip_prefix("user:").unwrap_or("guest")
    }

    /// The id of its cart.
    pub(crate) fn cart(&self) -> Uuid {
        let hash = blake3::derive_key(CART_CONTEXT, self.0.as_bytes());
        let (id, _) = hash.split_first_chunk().unwrap_or((&[0; 16], &[]));
        uuid::Builder::from_custom_bytes(*id).into_uuid()
    }
}

impl GuestToken {
    /// A token that nobody has; none if the system has no randomness.
    pub fn fresh() -> Option<Self> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The token in a cookie.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| Uuid::try_parse(text).ok()).flatten().map(|id| Self(id.into_bytes()))
    }

    /// As the cookie has it.
    pub fn text(&self) -> String {
        Uuid::from_bytes(self.0).simple().to_string()
    }
}

/// It opens a cart, so it is not printed.
impl fmt::Debug for GuestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuestToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_is_never_stored() {
        let token = GuestToken::fresh().unwrap();
        assert_eq!(GuestToken::parse(&token.text()), Some(token.clone()));
        let guest = Buyer::guest(&token);
        assert!(!guest.as_str().contains(&token.text()));
        assert_eq!(guest.shown(), "guest");
        for bad in ["", "7", &"g".repeat(32), &"a".repeat(33)] {
            assert_eq!(GuestToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_buyer_has_a_cart_of_its_own() {
        let token = GuestToken::parse(&"a".repeat(32)).unwrap();
        assert_ne!(Buyer::user("ann").cart(), Buyer::user("bob").cart());
        // A user may have the name of a guest.
        let disguised = Buyer::user(Buyer::guest(&token).as_str());
        assert_ne!(disguised.cart(), Buyer::guest(&token).cart());
    }
}

//! Hides positions of the log from callers. The log of the database has the writes of all tenants, so two positions would
//! tell a caller how much the others have written in between.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pando_database::Database;
use pando_http::TokenCover;
use pando_resilience::Call;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{AuthError, store};

/// How long reading the key may take.
const BUDGET: Duration = Duration::from_secs(5);
/// How hidden tokens begin.
const PREFIX: &str = "c1-";
/// All are equally long, whatever their position. No token, and no position of a watch, is longer.
const PLAIN_BYTES: usize = 32;

/// A key that all processes of the database share.
#[derive(Debug)]
struct TokenCipher(LessSafeKey);

/// Hides positions of this database from callers. The first process makes the key, and the others read it.
pub async fn token_cover(database: &Database) -> Result<TokenCover, AuthError> {
    let mut fresh = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut fresh[..]).map_err(|_| no_randomness())?;
    let call = Call::internal("auth.secret", BUDGET);
    let mut tx = database.transaction(&call).await?;
    let secret = Zeroizing::new(store::secret(&mut tx, "consistency", &fresh[..]).await?);
    tx.commit().await?;
    let key = UnboundKey::new(&AES_256_GCM, &secret);
    let key = key.map_err(|_| AuthError::setting("auth_secrets", "has a secret of a wrong length"))?;
    let hiding = Arc::new(TokenCipher(LessSafeKey::new(key)));
    let showing = hiding.clone();
    Ok(TokenCover {
        hide: Arc::new(move |token| hiding.hide(token)),
        show: Arc::new(move |hidden| showing.show(hidden)),
    })
}

impl TokenCipher {
    fn hide(&self, token: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut bytes = format!("{token:PLAIN_BYTES$}").into_bytes();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes)
            .ok()?;
        Some(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat())))
    }

    fn show(&self, hidden: &str) -> Option<String> {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(hidden.strip_prefix(PREFIX)?).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut()?;
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), sealed).ok()?;
        Some(str::from_utf8(plain).ok()?.trim_end().to_owned())
    }
}

fn no_randomness() -> AuthError {
    AuthError::setting("auth_secrets", "the operating system gave no random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_token_tells_nothing_and_comes_back() {
        let cipher =
            |byte| TokenCipher(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[byte; 32]).unwrap()));
        let (one, other) = (cipher(1), cipher(2));
        let hidden = one.hide("s1-1").unwrap();
        assert_eq!(one.show(&hidden).as_deref(), Some("s1-1"));
        assert_ne!(one.hide("s1-1").unwrap(), hidden, "nobody sees that nothing was written");
        assert_eq!(one.hide("p1-ffffffffffffffff").unwrap().len(), hidden.len());
        for bad in ["", "s1-1", "c1-", "c1-AAAA", "c1-*", &hidden[..hidden.len() - 1]] {
            assert_eq!(one.show(bad), None, "{bad:?}");
        }
        assert_eq!(other.show(&hidden), None);
    }
}

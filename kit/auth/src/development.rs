//! An issuer for development: its key is a file beside the data, and `pando token` makes its tokens.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value, json};

use crate::issuer::Issuer;
use crate::key_set::KeySet;
use crate::{AuthError, IssuerOptions, TokenAlgorithm, ring_provider};

/// The issuer and the audience of its tokens.
const ISSUER: &str = "pando-development";
const AUDIENCE: &str = "pando";
/// The file of its key, within the data directory.
const FILE: &str = "development-issuer.key";

/// The issuer for development.
pub struct DevelopmentIssuer {
    key: Vec<u8>,
    public: Vec<u8>,
}

impl DevelopmentIssuer {
    /// Reads its key from the data directory, or makes one there that only its owner can read.
    pub fn open(data: &Path) -> Result<Self, AuthError> {
        let path = data.join(FILE);
        let failed = |source| AuthError::File { path: path.clone(), source };
        let key = match fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
                let made =
                    made.map_err(|_| AuthError::setting("development_issuer", "no key could be made"))?;
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                file.and_then(|mut file| file.write_all(made.as_ref())).map_err(failed)?;
                made.as_ref().to_vec()
            }
            Err(error) => return Err(failed(error)),
        };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).map_err(|_| {
            AuthError::setting("development_issuer", format!("{} holds no key", path.display()))
        })?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { key, public })
    }

    /// Makes a token for a caller with these claims, which counts for so long.
    pub fn token(
        &self,
        subject: &str,
        claims: Map<String, Value>,
        lifetime: Duration,
    ) -> Result<String, AuthError> {
        ring_provider::install();
        let now = jsonwebtoken::get_current_timestamp();
        let mut all = claims;
        all.extend([
            ("iss".to_owned(), json!(ISSUER)),
            ("aud".to_owned(), json!(AUDIENCE)),
            ("sub".to_owned(), json!(subject)),
            ("iat".to_owned(), json!(now)),
            ("exp".to_owned(), json!(now + lifetime.as_secs())),
        ]);
        encode(&Header::new(Algorithm::EdDSA), &all, &EncodingKey::from_ed_der(&self.key))
            .map_err(|error| AuthError::setting("development_issuer", error))
    }

    /// Its public key, as other programs read it.
    pub fn key_set(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(&self.public);
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "x": x}]})
    }

    pub(crate) fn issuer(&self) -> Issuer {
        let options = IssuerOptions {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            algorithms: vec![TokenAlgorithm::EdDsa],
            tenant_claim: Some("tenant".to_owned()),
            ..IssuerOptions::default()
        };
        let keys = KeySet::given(DecodingKey::from_ed_der(&self.public));
        Issuer { options, keys, tenant_is_optional: true }
    }
}

impl std::fmt::Debug for DevelopmentIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DevelopmentIssuer")
    }
}

//! API keys: `sk_live_ID_SECRET`. The id finds the key; of the secret only a hash is stored, and it is shown once.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pando_clock::{Clock, Timestamp};
use pando_database::{Database, Transaction};
use pando_http::Network;
use pando_resilience::{Call, Identity, Scopes, Tenant};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::store::{self, StoredKey};
use crate::{AuthError, Refusal};

/// How keys begin.
const PREFIX: &str = "sk_";
const KINDS: [&str; 2] = ["live", "test"];
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
/// The use of a key is noted once in this time.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// How many keys a list has at most.
const LISTED_MAX: i64 = 10_000;
/// So that the hash of a secret is that of nothing else.
const HASH_CONTEXT: &str = "pando 2026-11 api key";

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The part of the key by which it is found; it is no secret.
    pub id: String,
    /// The tenant whose data the key is for.
    pub tenant: Tenant,
    /// `live` or `test`.
    pub kind: String,
    /// Its name for people. Callers with the key have the name `key:NAME`.
    pub name: String,
    /// The scopes that it allows.
    pub scopes: Scopes,
    /// From where it may be used; from everywhere if there are none.
    pub networks: Vec<Network>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// The tenant whose data the key is for.
    pub tenant: Tenant,
    /// Whether it says `test` instead of `live`.
    pub is_test: bool,
    /// Its name for people.
    pub name: String,
    /// The scopes that it allows.
    pub scopes: Scopes,
    /// From where it may be used; from everywhere if there are none.
    pub networks: Vec<Network>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A whole key, to be shown once.
pub struct Secret(Zeroizing<String>);

/// The API keys of a database. Cloning shares them.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    database: Database,
    clock: Clock,
}

/// A key as its caller sent it.
struct Sent<'t> {
    id: &'t str,
    secret: &'t str,
}

impl ApiKeys {
    /// The keys of this database.
    pub fn new(database: &Database, clock: &Clock) -> Self {
        Self { database: database.clone(), clock: clock.clone() }
    }

    /// Makes a key.
    pub async fn create(&self, tx: &mut Transaction, new: NewKey) -> Result<(ApiKey, Secret), AuthError> {
        let (stored, secret) = self.fresh(new)?;
        store::insert(tx, &stored).await?;
        Ok((stored.key, secret))
    }

    /// Makes a key that is like another one, which ends after `overlap`.
    pub async fn rotate(
        &self,
        tx: &mut Transaction,
        id: &str,
        overlap: Duration,
    ) -> Result<(ApiKey, Secret), AuthError> {
        let before = store::find_in(tx, id).await?.ok_or(Refusal::ApiKey)?.key;
        let now = self.clock.now();
        if !before.is_valid(now) {
            return Err(Refusal::ApiKey.into());
        }
        let (stored, secret) = self.fresh(NewKey {
            tenant: before.tenant,
            is_test: before.kind == KINDS[1],
            name: before.name,
            scopes: before.scopes,
            networks: before.networks,
            expires_at: before.expires_at,
        })?;
        let micros = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
        store::insert(tx, &stored).await?;
        store::expire(tx, id, now.plus_micros(micros)).await?;
        Ok((stored.key, secret))
    }

    /// Revokes a key, if there is one that was not revoked.
    pub async fn revoke(&self, tx: &mut Transaction, id: &str) -> Result<Option<ApiKey>, AuthError> {
        let found = store::find_in(tx, id).await?;
        let revoked = store::revoke(tx, id, self.clock.now()).await?;
        Ok(found.map(|stored| stored.key).filter(|_| revoked))
    }

    /// The keys of a tenant, or of all.
    pub async fn list(&self, call: &Call, tenant: Option<&Tenant>) -> Result<Vec<ApiKey>, AuthError> {
        let found = store::list(&self.database.read_primary(call), tenant, LISTED_MAX).await?;
        Ok(found.into_iter().map(|stored| stored.key).collect())
    }

    /// The key that a caller sent from an address, and whether the key counts.
    pub(crate) async fn verify(
        &self,
        call: &Call,
        text: &str,
        client: IpAddr,
    ) -> Result<(ApiKey, Result<(), Refusal>), AuthError> {
        let sent = Sent::read(text).ok_or(Refusal::Unreadable)?;
        let found = store::find(&self.database.read_primary(call), sent.id).await?;
        // The same work where there is no such key.
        let known = found.as_ref().map_or(&[0; 32][..], |stored| &stored.hash);
        let is_right: bool = hash(sent.secret).as_slice().ct_eq(known).into();
        let key = found.filter(|_| is_right).map(|stored| stored.key).ok_or(Refusal::ApiKey)?;
        let now = self.clock.now();
        if !key.is_valid(now) {
            return Ok((key, Err(Refusal::ApiKey)));
        }
        if !key.allows(client) {
            return Ok((key, Err(Refusal::Network)));
        }
        self.note_use(call, &key, now).await;
        Ok((key, Ok(())))
    }

    /// Nobody is refused because this fails.
    async fn note_use(&self, call: &Call, key: &ApiKey, now: Timestamp) {
        let before = now.plus_micros(-i64::try_from(NOTED_EVERY.as_micros()).unwrap_or(0));
        if key.last_used_at.is_some_and(|last| last >= before) {
            return;
        }
        let noted = async {
            let mut tx = self.database.transaction(call).await?;
            store::used(&mut tx, &key.id, (now, before)).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(key.id, error = %error, "the use of an API key could not be noted");
        }
    }

    fn fresh(&self, new: NewKey) -> Result<(StoredKey, Secret), AuthError> {
        let NewKey { tenant, is_test, name, scopes, networks, expires_at } = new;
        if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(AuthError::setting("name", "must have 1 to 100 characters"));
        }
        if scopes.iter().next().is_none() || !scopes.iter().all(Scopes::is_scope) {
            return Err(AuthError::setting("scopes", "must be scopes such as profiles:read, or a role"));
        }
        let (mut id, mut secret) = ([0; ID_BYTES], Zeroizing::new([0; SECRET_BYTES]));
        let random = SystemRandom::new();
        let failed = |_| AuthError::no_random_bytes();
        random.fill(&mut id).map_err(failed)?;
        random.fill(&mut secret[..]).map_err(failed)?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&secret[..]));
        let kind = KINDS[usize::from(is_test)].to_owned();
        let whole = Secret(Zeroizing::new(format!("{PREFIX}{kind}_{id}_{}", *secret)));
        let key = ApiKey {
            id,
            tenant,
            kind,
            name,
            scopes,
            networks,
            created_at: self.clock.now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        Ok((StoredKey { key, hash: hash(&secret) }, whole))
    }
}

impl ApiKey {
    /// Whether it counts at a moment.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }

    /// Whether it may be used from an address.
    pub(crate) fn allows(&self, client: IpAddr) -> bool {
        allowed_from(&self.networks, client)
    }

    /// The callers with this key.
    pub(crate) fn identity(self) -> Identity {
        Identity {
            subject: format!("key:{}", self.name).into(),
            credential: format!("key:{}", self.id).into(),
            tenant: self.tenant,
            scopes: self.scopes,
        }
    }
}

impl<'t> Sent<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let (id, secret) = rest.split_once('_')?;
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        (KINDS.contains(&kind) && is_id && secret.len() <= 100).then_some(Self { id, secret })
    }
}

/// Whether a key with these networks may be used from an address.
pub(crate) fn allowed_from(networks: &[Network], client: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(client))
}

/// Whether a credential looks like a key.
pub(crate) fn is_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// A secret is random and long: a slow hash would protect it no better.
fn hash(secret: &str) -> Vec<u8> {
    blake3::derive_key(HASH_CONTEXT, secret.as_bytes()).to_vec()
}

impl Secret {
    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

//! The caller of a piece of work, and the tenant whose data it is about.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name of a tenant.
const NAME_MAX: usize = 40;

/// A caller, and the tenant in whose name the call is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The owner of everything that the call reads and writes.
    pub tenant: Tenant,
    /// The name of the caller, which histories record.
    pub subject: Arc<str>,
    /// The scopes of the caller.
    pub scopes: Scopes,
    /// A name of the credential that proves who calls, which is no secret: `key:ID`, or `token:ISSUER` with the id of the token. It is
    /// empty if nobody asked for a credential.
    pub credential: Arc<str>,
}

/// The scopes of a caller, such as `profiles:read`. `profiles:*` allows everything with profiles, `*:read` allows to read
/// everything, and `*` allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Option<Arc<[Box<str>]>>);

/// The roles of callers, each of which may do what the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read.
    Readonly,
    /// May also create and change.
    Operator,
    /// May do everything.
    Admin,
}

/// An owner of data, who never sees anything of another. The default tenant has an empty name: where it is the only one,
/// neither keys nor answers say anything about tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Tenant(Arc<str>);

/// A text that cannot be the name of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a tenant has 1 to 40 of a-z, 0-9 and -, and begins with a letter")]
pub struct BadTenant;

impl Identity {
    /// A caller of the default tenant who may do everything.
    pub fn of(subject: impl Into<Arc<str>>) -> Self {
        Self { tenant: Tenant::default(), subject: subject.into(), scopes: Scopes::all(), ..Self::default() }
    }

    /// A caller of the default tenant who sent no credential, and has no scope: operations that serve guests decide what they may do.
    pub fn guest() -> Self {
        Self { subject: "guest".into(), ..Self::default() }
    }
}

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Self::named(["*"])
    }

    /// These scopes.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Arc<[Box<str>]> = names.into_iter().map(Box::from).collect();
        Self((!names.is_empty()).then_some(names))
    }

    /// The scopes of a role.
    pub fn of_role(role: Role) -> Self {
        match role {
            Role::Readonly => Self::named(["*:read"]),
            Role::Operator => Self::named(["*:read", "*:write"]),
            Role::Admin => Self::all(),
        }
    }

    /// Whether they allow this: `profiles:read`.
    pub fn allow(&self, scope: &str) -> bool {
        let covers = |granted: &str| match granted.split_once('*') {
            None => granted == scope,
            Some((before, after)) => {
                scope.len() >= before.len() + after.len()
                    && scope.starts_with(before)
                    && scope.ends_with(after)
            }
        };
        self.iter().any(covers)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|names| names.iter()).map(|name| &**name)
    }

    /// Whether a text is a scope: `*`, or two words with a colon between them, either of which may be `*`.
    pub fn is_scope(text: &str) -> bool {
        let is_word = |word: &str| {
            word == "*"
                || (1..=40).contains(&word.len())
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        text == "*" || text.split_once(':').is_some_and(|(what, how)| is_word(what) && is_word(how))
    }
}

impl Role {
    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Readonly, Self::Operator, Self::Admin].into_iter().find(|role| role.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Readonly => "readonly",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Tenant {
    /// The tenant with this name.
    pub fn named(name: &str) -> Result<Self, BadTenant> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
        if starts_well && name.len() <= NAME_MAX && name.bytes().all(fits) {
            Ok(Self(name.into()))
        } else {
            Err(BadTenant)
        }
    }

    /// The tenant whose name was stored; an empty one is the default tenant.
    pub fn stored(name: &str) -> Self {
        if name.is_empty() { Self::default() } else { Self(name.into()) }
    }

    /// Its name; empty for the default tenant.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the one that every installation has.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// A key among those of all tenants: `@acme/key`, and the key itself for the default tenant. A key that begins with `@` is
    /// given the prefix `@/`, so that nobody can write the key of another.
    pub fn scoped<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if !self.is_default() || key.starts_with('@') { format!("@{self}/{key}").into() } else { key.into() }
    }

    /// The key that was [scoped](Self::scoped).
    pub fn unscoped(scoped: &str) -> &str {
        match scoped.strip_prefix('@') {
            Some(rest) => rest.split_once('/').map_or(scoped, |(_, key)| key),
            None => scoped,
        }
    }
}

impl From<String> for Tenant {
    fn from(name: String) -> Self {
        Self::stored(&name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.as_str().to_owned()
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_tenant_is_a_short_word() {
        assert_eq!(Tenant::named("acme-2").unwrap().as_str(), "acme-2");
        for bad in ["", "2acme", "-acme", "Acme", "ac me", "ac/me", "ac@me", "é", &"a".repeat(41)] {
            assert_eq!(Tenant::named(bad), Err(BadTenant), "{bad}");
        }
    }

    #[test]
    fn scopes_allow_what_they_name() {
        let scopes = Scopes::named(["profiles:read", "tasks:*"]);
        for (scope, allowed) in [
            ("profiles:read", true),
            ("profiles:write", false),
            ("tasks:delete", true),
            ("tasks", false),
            ("customers:read", false),
            ("profiles:read:x", false),
        ] {
            assert_eq!(scopes.allow(scope), allowed, "{scope}");
        }
        let [readonly, operator, admin] = [Role::Readonly, Role::Operator, Role::Admin].map(Scopes::of_role);
        assert!(readonly.allow("customers:read") && !readonly.allow("customers:write"));
        assert!(operator.allow("customers:write") && !operator.allow("customers:delete"));
        assert!(admin.allow("customers:delete") && !Scopes::default().allow("customers:read"));
        for (text, right) in
            [("*", true), ("*:read", true), ("a:*", true), ("a", false), ("a:B", false), ("a:b:c", false)]
        {
            assert_eq!(Scopes::is_scope(text), right, "{text}");
        }
    }

    #[test]
    fn nobody_can_write_the_key_of_another_tenant() {
        let (own, acme) = (Tenant::default(), Tenant::named("acme").unwrap());
        for key in ["", "7", "a/b", "@acme/7", "@/7", "@", "é"] {
            assert_eq!(Tenant::unscoped(&own.scoped(key)), key);
            assert_eq!(Tenant::unscoped(&acme.scoped(key)), key);
            assert_ne!(own.scoped(key), acme.scoped("7"));
        }
        assert_eq!(own.scoped("a/b"), "a/b");
        assert_eq!(acme.scoped("7"), "@acme/7");
    }
}

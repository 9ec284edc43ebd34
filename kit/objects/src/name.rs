//! The name of an object: the hash of its content, its owner, and an ending for its format.

use std::fmt;

use pando_resilience::Tenant;

/// Letters of a hash.
const HASH_LENGTH: usize = 64;
/// Letters of an ending at most.
const ENDING_LENGTH_MAX: usize = 5;

/// The name of an object: 64 hexadecimal digits, a dot, and an ending of one to five small letters and digits. An object of a
/// tenant has the tenant's name and another dot before the ending, so equal contents of two tenants are two objects.
///
/// There is no other way to make one, so that no name is ever a path to somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(Box<str>);

impl ObjectName {
    /// The name of this content in the default tenant; `None` if the ending is not valid.
    pub fn of(content: &[u8], ending: &str) -> Option<Self> {
        Self::of_tenant(&Tenant::default(), content, ending)
    }

    /// The name of a tenant's content; `None` if the ending is not valid.
    pub fn of_tenant(tenant: &Tenant, content: &[u8], ending: &str) -> Option<Self> {
        let dot = if tenant.is_default() { "" } else { "." };
        Self::parse(&format!("{}.{tenant}{dot}{ending}", blake3::hash(content).to_hex()))
    }

    /// Reads a name; anything else names no object.
    pub fn parse(text: &str) -> Option<Self> {
        let (hash, rest) = text.split_once('.')?;
        let (owner, ending) =
            rest.split_once('.').map_or((None, rest), |(owner, ending)| (Some(owner), ending));
        let is_hash =
            hash.len() == HASH_LENGTH && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_ending = (1..=ENDING_LENGTH_MAX).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_owner = owner.is_none_or(|owner| Tenant::named(owner).is_ok());
        (is_hash && is_owner && is_ending).then(|| Self(text.into()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash of the content.
    pub fn hash(&self) -> &str {
        &self.0[..HASH_LENGTH]
    }

    /// Whether the object belongs to this tenant.
    pub fn is_of(&self, tenant: &Tenant) -> bool {
        let owner = self.0[HASH_LENGTH + 1..].split_once('.').map_or("", |(owner, _)| owner);
        owner == tenant.as_str()
    }

    /// The part after the last dot.
    pub fn ending(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, ending)| ending)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_hash_and_an_ending_and_nothing_else() {
        let name = ObjectName::of(b"hello", "png").expect("an ending");
        assert_eq!(ObjectName::parse(name.as_str()), Some(name.clone()));
        assert_eq!((name.hash().len(), name.ending()), (64, "png"));
        assert_ne!(ObjectName::of(b"hello!", "png"), Some(name.clone()));
        let acme = Tenant::named("acme").unwrap();
        let theirs = ObjectName::of_tenant(&acme, b"hello", "png").expect("an ending");
        assert_eq!(ObjectName::parse(theirs.as_str()), Some(theirs.clone()));
        assert_eq!(theirs.as_str(), format!("{}.acme.png", name.hash()));
        assert_eq!((theirs.hash(), theirs.ending()), (name.hash(), "png"));
        assert!(theirs.is_of(&acme) && !theirs.is_of(&Tenant::default()));
        assert!(name.is_of(&Tenant::default()) && !name.is_of(&acme));
        let hash = name.hash();
        for bad in [
            "",
            ".",
            "..",
            hash,
            &format!("{hash}."),
            &format!("{hash}.PNG"),
            &format!("{hash}.toolong"),
            &format!("{hash}.png/.."),
            &format!("{hash}.a.b.c"),
            &format!("{hash}..png"),
            &format!("{hash}.A.png"),
            &format!("../{hash}.png"),
            &format!("{}.png", hash.to_uppercase()),
            &format!("{}.png", &hash[1..]),
            &format!("{}\0.png", &hash[1..]),
        ] {
            let uppercase_of_digits = bad.starts_with(hash) && ObjectName::parse(bad).is_some();
            assert!(
                ObjectName::parse(bad).is_none() || uppercase_of_digits && bad == name.as_str(),
                "{bad:?}"
            );
        }
        assert_eq!(ObjectName::of(b"hello", "../x"), None);
    }
}

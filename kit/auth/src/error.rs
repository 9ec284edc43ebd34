//! Why a credential does not count. No message contains a credential.

use std::path::PathBuf;

use pando_database::DatabaseError;

use crate::LoginError;

/// The fault of a credential. Its text is the detail of the answer to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is neither a token nor a key of ours.
    #[error("the credential is neither a token nor an API key")]
    Unreadable,
    /// No issuer of the settings made the token.
    #[error("no issuer in the settings has issued this token")]
    Issuer,
    /// The issuer does not sign with this algorithm.
    #[error("the token is signed with an algorithm that its issuer may not use")]
    Algorithm,
    /// The issuer has no key of this name.
    #[error("the issuer has no key that made this token")]
    Key,
    /// The signature is wrong.
    #[error("the signature of the token is wrong")]
    Signature,
    /// The token is over.
    #[error("the token has expired")]
    Expired,
    /// The token does not count yet.
    #[error("the token is not valid yet")]
    Early,
    /// The token was made for somebody else.
    #[error("the token is meant for another audience")]
    Audience,
    /// A claim is missing, or is of a wrong type.
    #[error("the token lacks a claim, or one has a wrong type")]
    Claims,
    /// The claim names no tenant, or a bad one.
    #[error("the token does not name a tenant")]
    Tenant,
    /// There is no such key, it was revoked, or it is over.
    #[error("there is no such API key, or it was revoked, or it has expired")]
    ApiKey,
    /// There is no such session, or it is over.
    #[error("the session has ended: log in")]
    Session,
    /// The key may not be used from here.
    #[error("this API key may not be used from this address")]
    Network,
}

/// Why callers cannot be recognised.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The credential does not count.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The keys cannot be read.
    #[error("API keys cannot be read")]
    Database(#[from] DatabaseError),
    /// A password cannot be hashed, or may not be one.
    #[error("the password {0}")]
    Password(#[from] LoginError),
    /// A setting cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// Its name, below `auth`.
        setting: String,
        /// The reason.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
}

impl Refusal {
    /// Its name in the metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Issuer => "issuer",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Tenant => "tenant",
            Self::ApiKey => "api_key",
            Self::Session => "session",
            Self::Network => "network",
        }
    }
}

impl AuthError {
    pub(crate) fn setting(name: impl Into<String>, reason: impl ToString) -> Self {
        Self::Setting { setting: name.into(), reason: reason.to_string() }
    }

    pub(crate) fn no_random_bytes() -> Self {
        Self::setting("keys", "the operating system gave no random bytes")
    }
}

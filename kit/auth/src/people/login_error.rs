//! Why a person is not logged in. No message says whether an account exists, or contains a secret.

use pando_database::DatabaseError;
use pando_http::{Code, FieldError, Problem};

/// Why a person is not logged in, or a session cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Name and password do not fit, or the account may not be used.
    #[error("the name or the password is wrong, or the account is locked for a while after wrong passwords")]
    Wrong,
    /// The password that was to be changed is another one.
    #[error("is not your password, or your account is locked for a while after wrong passwords")]
    WrongCurrent,
    /// Too many failed logins from this address.
    #[error("too many logins from this address have failed")]
    TooMany {
        /// How long it lasts.
        seconds: u64,
    },
    /// Too many people log in at the same moment.
    #[error("too many people log in at this moment: try again")]
    Busy,
    /// The new password is too short or too long.
    #[error("must have {min} to {max} characters")]
    PasswordLength {
        /// How many it has at least.
        min: usize,
        /// How many it has at most.
        max: usize,
    },
    /// The request has no session, or one that has ended.
    #[error("there is no session, or it has ended: log in")]
    NoSession,
    /// No provider of the settings has this name.
    #[error("no such provider")]
    NoProvider,
    /// The browser did not begin this login, or began it too long ago.
    #[error("this browser did not begin this login, or began it more than ten minutes ago: begin again")]
    NotBegun,
    /// The provider did not confirm who the person is.
    #[error("the provider did not confirm who you are: {0}")]
    Unconfirmed(String),
    /// The provider cannot be reached.
    #[error("the provider of the login cannot be reached: {0}")]
    NoAnswer(String),
    /// The person may not use this server.
    #[error("{0}: ask an administrator of this server for an account")]
    NotAllowed(&'static str),
    /// The accounts cannot be read or written.
    #[error("the accounts of operators cannot be read")]
    Database(#[from] DatabaseError),
}

impl LoginError {
    pub(super) fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong)
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let detail = error.to_string();
        match error {
            LoginError::Wrong | LoginError::NoSession | LoginError::Unconfirmed(_) => {
                Self::new(Code::Unauthenticated, detail)
            }
            LoginError::WrongCurrent => Self::invalid(vec![FieldError::new("current", "wrong", detail)]),
            LoginError::PasswordLength { .. } => {
                Self::invalid(vec![FieldError::new("new", "length", detail)])
            }
            LoginError::TooMany { seconds } => Self::new(Code::TooMany, detail).with_retry_after(seconds),
            LoginError::NotBegun | LoginError::NotAllowed(_) => Self::new(Code::Forbidden, detail),
            LoginError::NoProvider => Self::new(Code::NotFound, detail),
            LoginError::Busy => Self::new(Code::Unavailable, detail),
            LoginError::NoAnswer(_) => {
                Self::new(Code::Unavailable, "the provider of the login cannot be reached at the moment")
                    .with_source(detail)
            }
            LoginError::Database(DatabaseError::DeadlineExceeded) => Self::new(Code::Timeout, detail),
            LoginError::Database(error) => Self::new(Code::Unavailable, detail).with_source(error),
        }
    }
}

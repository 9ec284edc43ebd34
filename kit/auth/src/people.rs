//! People who log in: their accounts, passwords, providers and sessions.

mod attempts;
mod log_in;
mod log_in_elsewhere;
mod login_error;
mod operators;
mod passwords;
mod provider;
mod sessions;
mod store;
#[cfg(test)]
mod tests;

pub use login_error::LoginError;
pub use operators::{LoginWay, NewOperator, Operator, Operators};

pub(crate) use log_in_elsewhere::{LOGIN_SECONDS, Return, is_local_path};
pub(crate) use sessions::{Begun, Session, csrf_token, proves};

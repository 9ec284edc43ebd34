//! Seals customers with the current key.

use std::sync::Arc;

use pando_database::Database;
use pando_service::prelude::*;
use pando_vault::Keyring;

use crate::store::{Resealed, Store};

/// Seals the e-mail addresses and phone numbers of all customers with the current key, where another key sealed them, or
/// none. Servers may run meanwhile.
pub async fn reseal_customers(
    database: &Database,
    vault: &Arc<Keyring>,
    call: &Call,
) -> Result<Resealed, Fault> {
    Store::new(vault).reseal(database, call).await
}

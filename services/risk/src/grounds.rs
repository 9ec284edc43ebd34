//! The grounds of tenants, held by the process, and compared with the database at most once in each interval.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_service::prelude::*;

use crate::rules::Ruleset;
use crate::tenant_lists::TenantLists;

/// How many tenants a process holds the grounds of; the one that was asked for longest ago makes room.
const TENANTS_MAX: usize = 1_000;

/// All that a tenant's decisions stand on besides models, the shipped rules and the operator's lists.
pub(crate) struct TenantGround {
    /// The counter of its changes, as of before it was loaded.
    pub(crate) generation: i64,
    pub(crate) ruleset: Arc<Ruleset>,
    /// Whether the tenant decides by the rules that are shipped.
    pub(crate) is_shipped: bool,
    pub(crate) shadow: Option<Shadow>,
    pub(crate) lists: TenantLists,
}

/// The version of the rules that runs beside the live one.
#[derive(Clone)]
pub(crate) struct Shadow {
    pub(crate) number: u64,
    pub(crate) ruleset: Arc<Ruleset>,
}

/// The grounds that a process holds.
#[derive(Default)]
pub(crate) struct Grounds {
    held: Mutex<HashMap<Tenant, Held>>,
    /// Grounds are loaded one after the other, so that many requests of a tenant load its ground once.
    pub(crate) loading: tokio::sync::Mutex<()>,
}

struct Held {
    ground: Arc<TenantGround>,
    checked: Timestamp,
}

impl Grounds {
    /// The ground of a tenant, and whether it was compared with the database within the interval.
    pub(crate) fn held(
        &self,
        tenant: &Tenant,
        (now, interval_ms): (Timestamp, u64),
    ) -> Option<(Arc<TenantGround>, bool)> {
        let held = self.lock();
        let held = held.get(tenant)?;
        let age = now.as_micros().saturating_sub(held.checked.as_micros());
        let is_fresh = u64::try_from(age).is_ok_and(|age| age < interval_ms.saturating_mul(1_000));
        Some((Arc::clone(&held.ground), is_fresh))
    }

    /// Holds a ground that was compared with the database at this moment.
    pub(crate) fn hold(&self, tenant: &Tenant, ground: &Arc<TenantGround>, checked: Timestamp) {
        let mut held = self.lock();
        if held.len() >= TENANTS_MAX && !held.contains_key(tenant) {
            let oldest = held.iter().min_by_key(|(_, held)| held.checked).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| held.remove(&tenant));
        }
        held.insert(tenant.clone(), Held { ground: Arc::clone(ground), checked });
    }

    /// Forgets the ground of a tenant: the next decision loads it.
    pub(crate) fn forget(&self, tenant: &Tenant) {
        self.lock().remove(tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, Held>> {
        // Entries are put in and taken out whole, so a panic under the lock leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

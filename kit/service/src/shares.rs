//! A bounded number of places, of which no tenant can take all.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pando_resilience::Tenant;

/// A bounded number of places. A tenant with a name may have at most half of them, so that others find room; an installation
/// without tenants has all. Cloning shares the places.
#[derive(Clone)]
pub struct Shares {
    max: usize,
    taken: Arc<Mutex<HashMap<Tenant, usize>>>,
}

/// A place, which is free again when this is dropped.
#[derive(Debug)]
pub struct Share {
    tenant: Tenant,
    shares: Shares,
}

/// How much of a limit one tenant may use.
pub fn share_of(tenant: &Tenant, max: u64) -> u64 {
    if tenant.is_default() { max } else { max.div_ceil(2) }
}

impl Shares {
    /// So many places.
    pub fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// A place for a tenant, if there is one.
    pub fn take(&self, tenant: &Tenant) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_all: usize = taken.values().sum();
        let own = taken.get(tenant).copied().unwrap_or(0);
        if of_all >= self.max || own as u64 >= share_of(tenant, self.max as u64) {
            return None;
        }
        taken.insert(tenant.clone(), own + 1);
        Some(Share { tenant: tenant.clone(), shares: self.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shares").field("max", &self.max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_leaves_room_for_others() {
        let (shares, acme) = (Shares::new(3), Tenant::named("acme").unwrap());
        let held: Vec<_> = (0..3).filter_map(|_| shares.take(&acme)).collect();
        assert_eq!(held.len(), 2);
        assert!(shares.take(&Tenant::named("bolt").unwrap()).is_some());
        drop(held);
        assert!(shares.take(&acme).is_some());
        let all: Vec<_> = (0..4).filter_map(|_| shares.take(&Tenant::default())).collect();
        assert_eq!(all.len(), 3, "an installation without tenants has all places");
    }
}

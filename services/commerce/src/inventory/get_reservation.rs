//! Reads the reservation of an order.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::reservation::Reservation;
use super::store::reservations;
use crate::Commerce;
use crate::catalog::store as catalog;

impl Commerce {
    /// The latest reservation of an order, and the names of its products.
    pub async fn reservation(
        &self,
        call: &Call,
        order: Uuid,
    ) -> Result<(Reservation, BTreeMap<Uuid, String>), Fault> {
        let read = self.0.parts.database.read_primary(call);
        let found = reservations::find(&read, call.tenant(), order).await?;
        let found = found.ok_or_else(|| Fault::not_found("reservation"))?;
        let ids = found.lines.iter().map(|line| line.product).collect();
        let products = catalog::find_many(&read, call.tenant(), ids).await?;
        let names = products.into_iter().map(|product| (product.id, product.draft.name)).collect();
        Ok((found, names))
    }
}

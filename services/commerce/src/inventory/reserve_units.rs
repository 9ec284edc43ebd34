//! Keeps units for an order.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::reservation::{Line, NamedReservation, Reservation, ReservationStatus};
use super::ledger::{self, Cause, Kind, Short};
use super::store::{self, reservations};
use crate::Commerce;
use crate::domain::events;

/// The order for which units are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The order.
    pub order: Uuid,
    /// The buyer.
    pub user: String,
    /// The lines; a product may be there twice.
    pub lines: Vec<Line>,
    /// For how long; as the settings say if there is no number.
    pub seconds: Option<u32>,
}

impl Commerce {
    /// Keeps units of all products of an order, or of none.
    pub async fn reserve_units(
        &self,
        call: &Call,
        wanted: &Wanted,
    ) -> Result<Written<NamedReservation>, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let reserved = self.reserve(&mut write, wanted).await?;
            let reservation = reserved.map_err(|short| Short::fault(&short))?;
            let named = named(&mut write, reservation).await?;
            write.done(named)
        });
        write.await
    }

    /// Keeps units within a transaction. An order that has its units gets the same reservation again. If there are not enough units,
    /// nothing is changed, and the products are named.
    pub(crate) async fn reserve(
        &self,
        write: &mut Write,
        wanted: &Wanted,
    ) -> Result<Result<Reservation, Vec<Short>>, Fault> {
        let tenant = write.call.tenant().clone();
        if let Some(there) = reservations::of_order(&mut write.tx, &tenant, wanted.order).await?
            && matches!(there.status, ReservationStatus::Reserved | ReservationStatus::Confirmed)
        {
            return Ok(Ok(there));
        }
        let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
        for line in &wanted.lines {
            let sum = sums.entry(line.product).or_default();
            *sum = sum.saturating_add(line.quantity);
        }
        let lines: Vec<Line> =
            sums.into_iter().map(|(product, quantity)| Line { product, quantity }).collect();
        let id = self.0.parts.clock.fresh_id();
        let cause = Cause { id: Some(id), reason: String::new() };
        let moved =
            ledger::move_units(write, &self.0.parts.clock, Kind::Reservation, (&lines, &cause)).await?;
        if let Err(short) = moved {
            return Ok(Err(short));
        }
        let now = self.0.parts.clock.now();
        let seconds = wanted.seconds.unwrap_or(self.0.options.reservation_seconds);
        let reservation = Reservation {
            id,
            order: wanted.order,
            user: wanted.user.clone(),
            status: ReservationStatus::Reserved,
            lines,
            created_at: now,
            expires_at: now.plus_micros(i64::from(seconds) * 1_000_000),
        };
        reservations::insert(&mut write.tx, &tenant, &reservation);
        write.created(reservation.told(events::INVENTORY_RESERVED, 1));
        Ok(Ok(reservation))
    }
}

/// A reservation with the names of its products.
pub(super) async fn named(write: &mut Write, reservation: Reservation) -> Result<NamedReservation, Fault> {
    let products = reservation.lines.iter().map(|line| line.product).collect();
    let tenant = write.call.tenant().clone();
    let names = store::names(&mut write.tx, &tenant, products).await?;
    Ok(NamedReservation { reservation, names })
}

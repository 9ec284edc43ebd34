//! Ends a reservation: its units leave with the order, or can be sold again.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::reservation::{NamedReservation, Reservation, ReservationStatus};
use super::ledger::{self, Cause, Kind, Short};
use super::reserve_units::named;
use super::store::reservations;
use crate::Commerce;
use crate::domain::events;

impl Commerce {
    /// Ends the reservation of an order: `to` is where it stands then.
    pub async fn end_reservation(
        &self,
        call: &Call,
        order: Uuid,
        to: ReservationStatus,
    ) -> Result<Written<NamedReservation>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let ended = self.end(&mut write, order, to).await?;
            let reservation = ended.ok_or_else(|| Fault::not_found("reservation"))?;
            if reservation.status != to {
                let detail = "the reservation has ended already, and its units can be sold again";
                return Err(Fault::conflict(detail).named("BUSINESS_RULE_VIOLATION"));
            }
            let named = named(&mut write, reservation).await?;
            write.done(named)
        });
        write.await
    }

    /// Ends the reservation of an order within a transaction; the reservation as it is then. One that has ended already stays as
    /// it is.
    pub(crate) async fn end(
        &self,
        write: &mut Write,
        order: Uuid,
        to: ReservationStatus,
    ) -> Result<Option<Reservation>, Fault> {
        let tenant = write.call.tenant().clone();
        let Some(found) = reservations::of_order(&mut write.tx, &tenant, order).await? else {
            return Ok(None);
        };
        let status = reservations::lock(&mut write.tx, &tenant, found.id).await?;
        let found = Reservation { status: status.unwrap_or(found.status), ..found };
        if found.status != ReservationStatus::Reserved {
            return Ok(Some(found));
        }
        let kind = if to == ReservationStatus::Confirmed { Kind::Sale } else { Kind::Release };
        let reason = if to == ReservationStatus::Expired { "the time was up" } else { "" };
        let cause = Cause { id: Some(found.id), reason: reason.to_owned() };
        let moved = ledger::move_units(write, &self.0.parts.clock, kind, (&found.lines, &cause)).await?;
        // A reservation has its units: anything else is a broken ledger.
        moved.map_err(|short| Fault::internal(Short::fault(&short)))?;
        reservations::set_status(&mut write.tx, &tenant, found.id, (to, self.0.parts.clock.now()));
        let ended = Reservation { status: to, ..found };
        if to != ReservationStatus::Confirmed {
            write.created(ended.told(events::INVENTORY_RELEASED, 2));
        }
        Ok(Some(ended))
    }
}

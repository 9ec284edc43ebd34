//! Begins the payment of an order: its units are kept until the payment ends, and the payment exists before the provider hears of it.

use pando_service::prelude::*;

use super::domain::method::Method;
use super::domain::payment::{PaymentStatus, Stored};
use super::store;
use crate::Commerce;
use crate::inventory::ledger::{NOT_OFFERED, Short};
use crate::inventory::store::reservations;
use crate::inventory::{Reservation, ReservationStatus, Wanted};
use crate::orders::create_order::wanted;
use crate::orders::domain::order::Stored as Order;
use crate::orders::domain::status::Step;
use crate::orders::store as orders;

/// While the provider has not answered, units stay reserved, however long that takes.
const KEPT_MICROS: i64 = 10 * 365 * 24 * 3_600 * 1_000_000;

/// A payment that has begun, or the locked order whose units are not there any more.
pub(crate) type Begun = Result<Stored, (Order, Vec<Short>)>;

impl Commerce {
    /// Begins the payment of a locked order that is not paid.
    pub(crate) async fn begin_charge(
        &self,
        write: &mut Write,
        order: Order,
        method: Method,
    ) -> Result<Begun, Fault> {
        if let Err(short) = self.keep_units(write, &order).await? {
            return Ok(Err((order, short)));
        }
        let (tenant, now) = (write.call.tenant().clone(), self.0.parts.clock.now());
        let payment = Stored {
            id: self.0.parts.clock.fresh_id(),
            order: order.id,
            user: order.user.clone(),
            amount: order.total,
            status: PaymentStatus::Pending,
            method,
            reference: String::new(),
            authorization_code: String::new(),
            failure_code: String::new(),
            failure_reason: String::new(),
            refunded_minor: 0,
            stray: false,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        store::insert(&mut write.tx, &tenant, &payment);
        self.save_order(write, Order { step: Step::Charge, payment: Some(payment.id), ..order });
        Ok(Ok(payment))
    }

    /// Reserves the units of an order whose time was up. Products that are not offered any more have none.
    pub(super) async fn reserve_again(
        &self,
        write: &mut Write,
        wanted: &Wanted,
    ) -> Result<Result<Reservation, Vec<Short>>, Fault> {
        match self.reserve(write, wanted).await {
            Err(fault) if fault.name() == NOT_OFFERED => Ok(Err(Vec::new())),
            reserved => reserved,
        }
    }

    /// Keeps the units of a locked order until its payment ends. If time was up meanwhile, they are reserved again if they are there.
    async fn keep_units(&self, write: &mut Write, order: &Order) -> Result<Result<(), Vec<Short>>, Fault> {
        let tenant = write.call.tenant().clone();
        let lines = orders::lines_of(&mut write.tx, &tenant, order.id).await?;
        let wanted = wanted(order, &lines);
        let until = self.0.parts.clock.now().plus_micros(KEPT_MICROS);
        loop {
            let reserved = match self.reserve_again(write, &wanted).await? {
                Ok(reserved) => reserved,
                Err(short) => return Ok(Err(short)),
            };
            let status = reservations::lock(&mut write.tx, &tenant, reserved.id).await?;
            // The sweep may have been first: then there is none any more, and the next round makes one.
            if matches!(status, Some(ReservationStatus::Reserved) | None) {
                reservations::keep(&mut write.tx, &tenant, reserved.id, until);
                return Ok(Ok(()));
            }
        }
    }
}

//! Reservations: units of products that are kept for an order until it is paid, or until time is up.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use pando_service::{name_in, value_in};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReservationStatus {
    /// The units are kept.
    Reserved,
    /// The units have left with the order.
    Confirmed,
    /// The units can be sold again, because the order does not need them.
    Released,
    /// The units can be sold again, because time was up.
    Expired,
}

/// A line of an order: a product, and how many units of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product: Uuid,
    /// How many units.
    pub quantity: i64,
}

/// Units that are kept for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// The order.
    pub order: Uuid,
    /// The buyer.
    pub user: String,
    /// Where it stands.
    pub status: ReservationStatus,
    /// The products, each once, in the order of their ids.
    pub lines: Vec<Line>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when the units are kept.
    pub expires_at: Timestamp,
}

impl Reservation {
    /// The event that tells of it.
    pub(crate) fn told(&self, event: &'static str, version: i64) -> Change {
        let item = |line: &Line| json!({"productId": line.product, "quantity": line.quantity});
        let items: Vec<_> = self.lines.iter().map(item).collect();
        let data = json!({"reservationId": self.id, "orderId": self.order, "items": items});
        Change { event, id: self.id, version, data }
    }
}

/// A reservation as a request left it, with the names of its products: a repeat of the request gets the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedReservation {
    /// The reservation.
    pub reservation: Reservation,
    /// The names of its products.
    pub names: BTreeMap<Uuid, String>,
}

impl ReservationStatus {
    const ALL: [(&'static str, Self); 4] = [
        ("RESERVED", Self::Reserved),
        ("CONFIRMED", Self::Confirmed),
        ("RELEASED", Self::Released),
        ("EXPIRED", Self::Expired),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }
}

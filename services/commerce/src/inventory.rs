//! The units of products: every change of their numbers is a movement in the ledger.

pub(crate) mod domain;
mod get_reservation;
pub(crate) mod http;
pub(crate) mod ledger;
mod release_units;
mod reserve_units;
pub(crate) mod store;
mod sweep_reservations;

pub use domain::reservation::{Line, Reservation, ReservationStatus};
pub use reserve_units::Wanted;
pub(crate) use sweep_reservations::SWEEP;

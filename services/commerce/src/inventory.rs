//! The units of products: every change of their numbers is a movement in the ledger.

mod check_availability;
pub(crate) mod domain;
mod get_stock;
pub(crate) mod http;
pub(crate) mod ledger;
mod list_movements;
mod move_stock;
mod release_units;
mod reserve_units;
mod set_reorder_point;
pub(crate) mod store;
mod sweep_reservations;

pub use domain::reservation::{Line, NamedReservation, Reservation, ReservationStatus};
pub use domain::stock::{Availability, MovementShown, StockLevel};
pub use list_movements::MovementPage;
pub use reserve_units::Wanted;
pub(crate) use sweep_reservations::SWEEP;

//! Carts of users and of guests: each adding changes one line, however many there are.

mod add_item;
mod change_item;
mod clear_cart;
pub(crate) mod domain;
mod get_cart;
pub(crate) mod http;
mod merge_carts;
mod remove_item;
mod replace_cart;
pub(crate) mod store;
mod sweep_carts;

pub use domain::buyer::{Buyer, GuestToken};
pub use domain::contents::{Cart, CartItem, CartItemStatus};
pub use domain::wish::Wish;
pub use merge_carts::Merged;
pub(crate) use sweep_carts::SWEEP;

//! Products and their categories.

mod create_product;
mod delete_product;
pub(crate) mod domain;
mod get_product;
pub(crate) mod http;
mod list_products;
mod search_products;
pub(crate) mod store;
mod update_product;

pub use domain::question::{ProductQuestion, ProductSort};
pub use domain::search::Search;
pub use list_products::ProductPage;

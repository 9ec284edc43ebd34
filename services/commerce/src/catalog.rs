//! Products and their categories.

mod add_products;
mod count_facets;
mod create_category;
mod create_product;
mod delete_category;
mod delete_product;
pub(crate) mod domain;
mod get_category;
mod get_product;
pub(crate) mod http;
mod index_category;
mod list_categories;
mod list_products;
#[cfg(test)]
mod plans;
mod search_products;
pub(crate) mod store;
mod update_category;
mod update_product;

pub use add_products::PRODUCTS_AT_ONCE_MAX;
pub use domain::category::Category;
pub use domain::facets::{BrandFacet, CategoryFacet, Facets, PriceFacet};
pub use domain::question::{ProductQuestion, ProductSort};
pub use domain::search::{Search, Tag};
pub(crate) use index_category::INDEX;
pub use list_categories::CategoryPage;
pub use list_products::ProductPage;

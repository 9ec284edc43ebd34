//! The events of the shop.

use pando_service::EventType;
use utoipa::ToSchema;

pub(crate) const SERVICE: &str = "commerce";
pub(crate) const PRODUCT_CREATED: &str = "product_created";
pub(crate) const PRODUCT_UPDATED: &str = "product_updated";
pub(crate) const PRODUCT_DELETED: &str = "product_deleted";
pub(crate) const CATEGORY_CREATED: &str = "category_created";
pub(crate) const CATEGORY_UPDATED: &str = "category_updated";
pub(crate) const CATEGORY_DELETED: &str = "category_deleted";
pub(crate) const STOCK_CHANGED: &str = "stock_changed";
pub(crate) const LOW_STOCK: &str = "LowStock";

/// Every type.
pub(crate) const EVENTS: &[EventType] = &[
    EventType::of::<ProductEvent>(PRODUCT_CREATED, "A product was created."),
    EventType::of::<ProductEvent>(PRODUCT_UPDATED, "A product was changed."),
    EventType::of::<ProductEvent>(PRODUCT_DELETED, "A product was deleted."),
    EventType::of::<CategoryEvent>(CATEGORY_CREATED, "A category was created."),
    EventType::of::<CategoryEvent>(CATEGORY_UPDATED, "A category was renamed or moved."),
    EventType::of::<CategoryEvent>(CATEGORY_DELETED, "A category was deleted."),
    EventType::of::<StockEvent>(STOCK_CHANGED, "The number of units of a product changed."),
    EventType::of::<LowStockEvent>(LOW_STOCK, "Few units of a product are left."),
];

/// A product was created, changed or deleted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
struct ProductEvent {
    sku: String,
}

/// A category was created, changed or deleted.
#[derive(ToSchema)]
struct CategoryEvent {}

/// The units of a product after a movement.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
struct StockEvent {
    available: i64,
    reserved: i64,
    /// The kind of the movement.
    kind: String,
}

/// Few units are left.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct LowStockEvent {
    product_id: uuid::Uuid,
    available: i64,
    reorder_point: i64,
}

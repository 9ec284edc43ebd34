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
pub(crate) const INVENTORY_RESERVED: &str = "InventoryReserved";
pub(crate) const INVENTORY_RELEASED: &str = "InventoryReleased";
pub(crate) const ORDER_CREATED: &str = "OrderCreated";
pub(crate) const ORDER_CONFIRMED: &str = "OrderConfirmed";
pub(crate) const ORDER_CANCELLED: &str = "OrderCancelled";
pub(crate) const ORDER_STATUS_CHANGED: &str = "OrderStatusChanged";
pub(crate) const PAYMENT_AUTHORIZED: &str = "PaymentAuthorized";
pub(crate) const PAYMENT_FAILED: &str = "PaymentFailed";
pub(crate) const PAYMENT_REFUNDED: &str = "PaymentRefunded";

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
    EventType::of::<ReservationEvent>(INVENTORY_RESERVED, "Units were reserved for an order."),
    EventType::of::<ReservationEvent>(INVENTORY_RELEASED, "Reserved units of an order can be sold again."),
    EventType::of::<OrderEvent>(ORDER_CREATED, "An order was placed."),
    EventType::of::<PaidEvent>(ORDER_CONFIRMED, "An order was paid."),
    EventType::of::<CancelledEvent>(ORDER_CANCELLED, "An order was cancelled."),
    EventType::of::<StatusEvent>(ORDER_STATUS_CHANGED, "An order came into another state."),
    EventType::of::<PaymentEvent>(PAYMENT_AUTHORIZED, "The money of a payment came."),
    EventType::of::<PaymentFailedEvent>(PAYMENT_FAILED, "A payment failed."),
    EventType::of::<RefundEvent>(PAYMENT_REFUNDED, "Money of a payment went back."),
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

/// Units of an order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct ReservationEvent {
    reservation_id: uuid::Uuid,
    order_id: uuid::Uuid,
    #[schema(inline)]
    items: Vec<UnitsOfEvent>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct UnitsOfEvent {
    product_id: uuid::Uuid,
    quantity: i64,
}

/// An order as it was placed. The address and the notes are not in it, because an event outlives the order: read the order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct OrderEvent {
    order_id: uuid::Uuid,
    user_id: String,
    #[schema(inline)]
    items: Vec<LineOfEvent>,
    total_amount: f64,
    currency: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct LineOfEvent {
    product_id: uuid::Uuid,
    product_name: String,
    price: f64,
    quantity: i64,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct PaidEvent {
    order_id: uuid::Uuid,
    payment_id: uuid::Uuid,
    #[schema(format = DateTime)]
    confirmed_at: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct CancelledEvent {
    order_id: uuid::Uuid,
    user_id: String,
    reason: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct StatusEvent {
    order_id: uuid::Uuid,
    status: String,
}

/// Nothing of a card but its kind and its last four digits.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct MethodOfEvent {
    r#type: String,
    card_number: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct PaymentEvent {
    payment_id: uuid::Uuid,
    order_id: uuid::Uuid,
    user_id: String,
    amount: f64,
    currency: String,
    transaction_id: String,
    authorization_code: String,
    #[schema(inline)]
    payment_method: MethodOfEvent,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct PaymentFailedEvent {
    payment_id: uuid::Uuid,
    order_id: uuid::Uuid,
    user_id: String,
    amount: f64,
    currency: String,
    failure_code: String,
    failure_reason: String,
    #[schema(inline)]
    payment_method: MethodOfEvent,
    retryable: bool,
    /// `RETRY`, `UPDATE_PAYMENT_METHOD` or `CONTACT_SUPPORT`.
    suggested_action: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the data of an event")]
#[serde(rename_all = "camelCase")]
struct RefundEvent {
    payment_id: uuid::Uuid,
    order_id: uuid::Uuid,
    refund_id: uuid::Uuid,
    amount: f64,
    currency: String,
    status: String,
}

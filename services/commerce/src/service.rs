//! The service as a process runs it.

use std::error::Error;

use bytes::Bytes;
use http::HeaderMap;
use pando_http::ServiceRoutes;
use pando_queue::{Job, JobContext, JobError, JobKind, JobType, NoPayload, QueueError, Schedule, Unique};
use pando_service::OwnQueue;
use pando_service::http::hot_read;
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;

use crate::domain::events;
use crate::http::shape::error_shape;
use crate::inventory::SWEEP;
use crate::{
    Commerce, CommerceOptions, MIGRATIONS, Mistake, RiskCheck, cart, catalog, inventory, orders, payments,
};

/// The queue of orders and refunds: their jobs wait for the provider of payments, and hold up nobody else.
const QUEUE: &str = "orders";

/// The books are followed every night.
const VERIFY: JobType<NoPayload> = JobType::new("commerce_verify").within_ms(3_600_000);

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "commerce",
    migrations: Some(MIGRATIONS),
    events: events::EVENTS,
    queues: &[OwnQueue { name: QUEUE, concurrency: 50, kinds: &["order_advance", "payment_refund"] }],
    described: || {
        let described = |(prefix, routes): &(&'static str, Routes)| {
            ServiceRoutes::described("commerce", routes()).error_shape(error_shape(prefix))
        };
        PLACES.iter().map(described).collect()
    },
};

type Routes = fn() -> OpenApiRouter<Commerce>;

/// Where the paths of the parts begin, and the routes there.
const PLACES: [(&str, Routes); 6] = [
    ("/api/products", catalog::http::routes),
    ("/api/categories", catalog::http::categories::routes),
    ("/api/inventory", inventory::http::routes),
    ("/api/cart", cart::http::routes),
    ("/api/orders", orders::http::routes),
    ("/api/payments", payments::http::routes),
];

/// Opens the service. `risk` says whether an order may be sold to its buyer.
pub fn open(
    parts: &Parts,
    options: CommerceOptions,
    risk: Option<RiskCheck>,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    served(&Commerce::new(parts, options, risk)?, registry)
}

/// The same, for who holds the shop itself, too.
pub fn served(commerce: &Commerce, registry: &mut Registry) -> Result<Service, Box<dyn Error + Send + Sync>> {
    add_jobs(registry, commerce)?;
    let routes = PLACES.iter().map(|(prefix, routes)| {
        let served = ServiceRoutes::new("commerce", routes().with_state(commerce.clone()), Vec::new());
        served.error_shape(error_shape(prefix))
    });
    let mut routes: Vec<ServiceRoutes> = routes.collect();
    let reader = commerce.clone();
    if let Some(products) = routes.first_mut() {
        products.hot.push(hot_read("/api/products/{id}", move |(tenant, id), token| {
            reader.recall_product(tenant, id, token)
        }));
    }
    Ok(Service {
        routes,
        subscribers: vec![commerce.0.memory.subscriber()],
        schedules: schedules(),
        ..Service::default()
    })
}

/// Adds the jobs to those that the process can run.
fn add_jobs(registry: &mut Registry, commerce: &Commerce) -> Result<(), QueueError> {
    let kind = |summary: &str, kind: JobKind| JobKind { summary: summary.to_owned(), ..kind };
    let advance = orders::ADVANCE.run_by(commerce, Commerce::advance_order);
    registry.add(kind("Takes an order from step to step", advance))?;
    let refund = payments::REFUND.run_by(commerce, Commerce::run_refund);
    registry.add(kind("Sends money of a payment back", refund))?;
    let reconcile = payments::RECONCILE.run_by(commerce, Commerce::run_reconcile);
    registry.add(kind("Asks the provider about payments whose outcome is not known", reconcile))?;
    let shop = commerce.clone();
    let take = move |call: Call, headers: HeaderMap, body: Bytes| {
        let shop = shop.clone();
        async move { shop.take_callback(&call, &headers, &body).await }
    };
    if let Some(callbacks) = commerce.0.provider.callback_kind(take) {
        registry.add(callbacks)?;
    }
    registry.add(kind("Follows the books of the shop", VERIFY.run_by(commerce, follow)))?;
    let sweep = orders::SWEEP.run_by(commerce, Commerce::sweep_orders);
    registry.add(kind("Cancels orders that were not paid in time", sweep))?;
    let sweep = SWEEP.run_by(commerce, Commerce::sweep_reservations);
    registry.add(kind("Lets go of units that were reserved for too long", sweep))?;
    let index = catalog::INDEX.run_by(commerce, Commerce::index_category);
    registry.add(kind("Tells the products of a category its new name", index))?;
    let sweep = cart::SWEEP.run_by(commerce, Commerce::sweep_carts);
    registry.add(kind("Deletes carts that nobody changed for a long time", sweep))
}

async fn follow(commerce: Commerce, context: JobContext, _: NoPayload) -> Result<Vec<Mistake>, JobError> {
    Ok(commerce.verify(context.call()).await?)
}

/// The jobs that come again and again: sweeps of reservations and of orders, payments without an outcome, and carts once an hour.
fn schedules() -> Vec<Schedule> {
    let schedule = |name: &str, expression: &str| {
        let unique = Some(Unique::WhileLive(name.to_owned()));
        let job = Job { unique, ..Job::new(name, serde_json::json!({})) };
        Schedule { name: name.to_owned(), expression: expression.to_owned(), job }
    };
    vec![
        schedule(SWEEP.name(), "* * * * *"),
        schedule(orders::SWEEP.name(), "* * * * *"),
        schedule(payments::RECONCILE.name(), "* * * * *"),
        schedule(cart::SWEEP.name(), "17 * * * *"),
        schedule(VERIFY.name(), "23 3 * * *"),
    ]
}

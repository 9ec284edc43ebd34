//! The service as a process runs it.

use std::error::Error;

use pando_http::ServiceRoutes;
use pando_queue::{Job, JobKind, Schedule, Unique};
use pando_service::http::hot_read;
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;

use crate::domain::events;
use crate::http::shape::error_shape;
use crate::inventory::SWEEP;
use crate::{Commerce, CommerceOptions, MIGRATIONS, cart, catalog, inventory};

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "commerce",
    migrations: Some(MIGRATIONS),
    events: events::EVENTS,
    queues: &[],
    described: || {
        let described = |(prefix, routes): &(&'static str, Routes)| {
            ServiceRoutes::described("commerce", routes()).error_shape(error_shape(prefix))
        };
        PLACES.iter().map(described).collect()
    },
};

type Routes = fn() -> OpenApiRouter<Commerce>;

/// Where the paths of the parts begin, and the routes there.
const PLACES: [(&str, Routes); 4] = [
    ("/api/products", catalog::http::routes),
    ("/api/categories", catalog::http::categories::routes),
    ("/api/inventory", inventory::http::routes),
    ("/api/cart", cart::http::routes),
];

/// Opens the service.
pub fn open(
    parts: &Parts,
    options: CommerceOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn Error + Send + Sync>> {
    served(&Commerce::new(parts, options)?, registry)
}

/// The same, for who holds the shop itself, too.
pub fn served(commerce: &Commerce, registry: &mut Registry) -> Result<Service, Box<dyn Error + Send + Sync>> {
    let sweep = SWEEP.run_by(commerce, Commerce::sweep_reservations);
    registry
        .add(JobKind { summary: "Lets go of units that were reserved for too long".to_owned(), ..sweep })?;
    let sweep = cart::SWEEP.run_by(commerce, Commerce::sweep_carts);
    registry
        .add(JobKind { summary: "Deletes carts that nobody changed for a long time".to_owned(), ..sweep })?;
    let index = catalog::INDEX.run_by(commerce, Commerce::index_category);
    registry.add(JobKind { summary: "Tells the products of a category its new name".to_owned(), ..index })?;
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

/// The sweep of reservations, every minute, and that of carts, every hour.
fn schedules() -> Vec<Schedule> {
    let schedule = |name: &str, expression: &str| {
        let unique = Some(Unique::WhileLive(name.to_owned()));
        let job = Job { unique, ..Job::new(name, serde_json::json!({})) };
        Schedule { name: name.to_owned(), expression: expression.to_owned(), job }
    };
    vec![schedule(SWEEP.name(), "* * * * *"), schedule(cart::SWEEP.name(), "17 * * * *")]
}

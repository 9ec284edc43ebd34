//! The page at `/`: it leads to the documentation, until there is a console.

use axum::response::Redirect;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The one route of the program itself.
pub(crate) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(front_door))
}

/// Redirects to the documentation.
#[utoipa::path(get, path = "/", tag = "system", security(()), responses((status = 307, description = "Go to `/docs`")))]
async fn front_door() -> Redirect {
    Redirect::temporary("/docs")
}

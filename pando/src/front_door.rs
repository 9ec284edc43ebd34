//! The pages of the browser app: the console at `/`, the shop at `/shop`, and the files that both load.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pando_http::{ServiceRoutes, StaticFile, StaticFiles};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem};
use utoipa::openapi::{OpenApiBuilder, Paths};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

// `BUILT`: the files that `npm run build` made; none if it was not run before this program was compiled.
include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// The page if there are no files: it says how to get them.
const NOT_BUILT: StaticFile = StaticFile {
    path: CONSOLE,
    media_type: "text/html; charset=utf-8",
    bytes: include_bytes!("front_door/not_built.html"),
    hashed: false,
    encoded: &[],
};

const CONSOLE: &str = "index.html";
const SHOP: &str = "shop.html";

/// The paths of the console, besides `/`. A person may open each of them, and what lies below it, at once: the script of the page
/// finds out what to show. Every other path is the API's, or there is no such path.
const CONSOLE_PATHS: [&str; 12] = [
    "profiles",
    "customers",
    "risk",
    "commerce",
    "webhooks",
    "jobs",
    "caches",
    "limits",
    "keys",
    "audit",
    "live",
    "login",
];

/// Scripts, styles and pictures come from this server only, and nothing is written into a page.
const CONTENT_SECURITY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The route of the console, which the document of the API names.
pub(crate) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(front_door)).with_state(files())
}

/// The routes of all other pages and files.
pub(crate) fn pages() -> ServiceRoutes {
    let mut paths: Vec<(String, Answer)> = Vec::new();
    for name in CONSOLE_PATHS {
        paths
            .extend([(format!("/{name}"), Answer::Console), (format!("/{name}/{{*rest}}"), Answer::Console)]);
    }
    paths.extend(["/shop", "/shop/{*rest}"].map(|path| (path.to_owned(), Answer::Shop)));
    paths.extend(["/assets/{file}", "/icon.svg"].map(|path| (path.to_owned(), Answer::File)));
    let mut document = Paths::new();
    for (path, _) in &paths {
        // For everybody: the pages show nothing but what the API tells the person who looks at them.
        let operation = OperationBuilder::new().securities(Some([])).build();
        document.paths.insert(path.clone(), PathItem::new(HttpMethod::Get, operation));
    }
    let document = OpenApiBuilder::new().paths(document).build();
    let router =
        paths.into_iter().fold(
            OpenApiRouter::with_openapi(document),
            |router, (path, answer)| match answer {
                Answer::Console => router.route(&path, get(front_door)),
                Answer::Shop => router.route(&path, get(shop_door)),
                Answer::File => router.route(&path, get(file)),
            },
        );
    ServiceRoutes::new("web", router.with_state(files()), Vec::new()).unlisted()
}

/// The answer to a path.
#[derive(Clone, Copy)]
enum Answer {
    Console,
    Shop,
    File,
}

fn files() -> StaticFiles {
    match BUILT.is_empty() {
        true => StaticFiles::new(&[NOT_BUILT, StaticFile { path: SHOP, ..NOT_BUILT }]),
        false => StaticFiles::new(BUILT),
    }
}

/// The console
#[utoipa::path(get, path = "/", tag = "system", security(()), responses(
    (status = 200, description = "The page of the console", content_type = "text/html", body = String),
    (status = 304, description = "The browser has this page"),
))]
async fn front_door(State(files): State<StaticFiles>, headers: HeaderMap) -> Response {
    page(&files, CONSOLE, &headers)
}

async fn shop_door(State(files): State<StaticFiles>, headers: HeaderMap) -> Response {
    page(&files, SHOP, &headers)
}

async fn file(State(files): State<StaticFiles>, name: Option<Path<String>>, headers: HeaderMap) -> Response {
    match name {
        Some(Path(name)) => files.answer(&format!("assets/{name}"), &headers),
        None => files.answer("icon.svg", &headers),
    }
}

fn page(files: &StaticFiles, name: &str, headers: &HeaderMap) -> Response {
    let guards = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (guards, files.answer(name, headers)).into_response()
}

//! The description of a server: the routes of each service, their limits, and their dependencies.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use utoipa_axum::router::OpenApiRouter;

use crate::{ErrorShape, HotRead, Problem};

/// Everything a server serves. `/health`, `/metrics`, `/openapi.json` and `/docs` are added to it.
#[derive(Clone, Default)]
pub struct App {
    /// The title of the OpenAPI document.
    pub title: String,
    /// The introduction of the OpenAPI document; `words` in backticks are code.
    pub description: Option<String>,
    /// The version of the OpenAPI document and of `/health`.
    pub version: String,
    /// The services, each with its routes.
    pub services: Vec<ServiceRoutes>,
    /// What `/health` and `/health/ready` ask.
    pub dependencies: Vec<Dependency>,
    /// The decision about each request: authentication and rate limits.
    pub gate: Option<Gate>,
}

/// Decides about each request once, after every guard that costs nothing and before anything is looked up for it: the place
/// of authentication and of a rate limit. It must be quick and must not wait: it runs on the connection's task.
pub type Gate = Arc<dyn Fn(&GateRequest<'_>) -> Result<(), Problem> + Send + Sync>;

/// The request about which a [`Gate`] decides.
#[derive(Clone, Copy, Debug)]
pub struct GateRequest<'r> {
    /// The path of the route, with the names of its parameters.
    pub template: &'r str,
    /// Whose request it is.
    pub client: IpAddr,
}

/// The routes of one service.
#[derive(Clone)]
pub struct ServiceRoutes {
    /// The `service` label of the metrics.
    pub name: &'static str,
    /// Router and document in one: a route that is not documented is not served.
    pub routes: OpenApiRouter,
    /// Routes that need other limits than the server's.
    pub limits: Vec<RouteLimits>,
    /// Routes whose `GET` may be answered from memory, before the router.
    pub hot: Vec<HotRead>,
    /// The form of error answers, where it is not problem details.
    pub errors: Option<ErrorShape>,
}

/// Limits of one route where they differ from [`crate::HttpOptions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteLimits {
    /// The path as the route has it: `/api/v1/profiles/{id}/images`.
    pub path: &'static str,
    /// Size of the body, for uploads.
    pub body_bytes_max: Option<u64>,
    /// Time for one request.
    pub deadline_ms: Option<u64>,
    /// For streamed bodies: the longest pause between two pieces (408 past it). Unless `deadline_ms` is set as well,
    /// it replaces the deadline: a large import takes as long as it keeps flowing.
    pub body_idle_ms: Option<u64>,
}

/// Something the server needs, and how to ask whether it is there.
#[derive(Clone)]
pub struct Dependency {
    pub(crate) name: &'static str,
    pub(crate) timeout: Duration,
    pub(crate) probe: Probe,
    pub(crate) required: bool,
}

type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), ProbeError>> + Send>> + Send + Sync>;
type ProbeError = Box<dyn std::error::Error + Send + Sync>;

impl App {
    /// An app without services yet.
    pub fn new(title: impl Into<String>, version: impl Into<String>) -> Self {
        Self { title: title.into(), version: version.into(), ..Self::default() }
    }

    /// Says what a reader of the OpenAPI document should know first.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Adds the routes of a service.
    #[must_use]
    pub fn service(self, name: &'static str, routes: OpenApiRouter, limits: Vec<RouteLimits>) -> Self {
        self.serve(ServiceRoutes::new(name, routes, limits))
    }

    /// Adds the routes of a service with more to say about them.
    #[must_use]
    pub fn serve(mut self, service: ServiceRoutes) -> Self {
        self.services.push(service);
        self
    }

    /// Has `gate` decide about every request.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Adds something the server needs.
    #[must_use]
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }
}

impl ServiceRoutes {
    /// Routes under a name, with limits where they differ from the server's.
    pub fn new(name: &'static str, routes: OpenApiRouter, limits: Vec<RouteLimits>) -> Self {
        Self { name, routes, limits, hot: Vec::new(), errors: None }
    }

    /// The description of routes, with nothing behind them: to be read, not served.
    pub fn described<S>(name: &'static str, routes: OpenApiRouter<S>) -> Self
    where
        S: Clone + Send + Sync + 'static,
    {
        Self::new(name, OpenApiRouter::with_openapi(routes.into_openapi()), Vec::new())
    }

    /// Has `GET` of one of the routes answered from memory, where it can be.
    #[must_use]
    pub fn hot_read(mut self, hot: HotRead) -> Self {
        self.hot.push(hot);
        self
    }

    /// Has error answers on its paths take this form.
    #[must_use]
    pub fn error_shape(mut self, shape: ErrorShape) -> Self {
        self.errors = Some(shape);
        self
    }
}

impl Dependency {
    /// Asks `probe` on each health request and gives it `timeout`. The error is logged, callers see that it failed.
    pub fn new<P, F, E>(name: &'static str, timeout: Duration, probe: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<ProbeError>,
    {
        let probe: Probe = Arc::new(move || {
            let asked = probe();
            Box::pin(async move { asked.await.map_err(Into::into) })
        });
        Self { name, timeout, probe, required: true }
    }

    /// The server goes on without it: while it is away it is `degraded`, and the server is still ready.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<&String> = self.routes.get_openapi().paths.paths.keys().collect();
        f.debug_struct("ServiceRoutes")
            .field("name", &self.name)
            .field("paths", &paths)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("title", &self.title)
            .field("services", &self.services)
            .field("dependencies", &self.dependencies)
            .finish_non_exhaustive()
    }
}

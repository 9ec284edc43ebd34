//! The description of a server: the routes of each service, their limits, and their dependencies.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use pando_resilience::Identity;
use tower::util::BoxCloneSyncService;
use utoipa_axum::router::OpenApiRouter;

use crate::health::{Dependency, Readiness};
use crate::{Code, ErrorShape, HotRead, Problem};

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
    /// Whether it is about the whole installation, so that a credential of one tenant is not enough.
    pub is_for_operators: bool,
    /// How callers prove who they are; everybody may do everything without it.
    pub authentication: Option<Authentication>,
    /// The decision about each request: rate limits.
    pub gate: Option<Gate>,
    /// Told of each request that is refused because of its caller.
    pub on_refusal: Option<OnRefusal>,
    /// Health and reflection for gRPC clients, where a service has gRPC methods.
    pub grpc_system: Option<GrpcSystem>,
}

/// How callers prove who they are.
#[derive(Clone)]
pub struct Authentication {
    /// Recognises a credential that was verified a short time ago. It runs on the task of the connection, and must not wait.
    pub recall: Recall,
    /// Verifies a credential. A refusal says what is wrong with it, and never repeats it.
    pub verify: Verify,
    /// Whether a token belongs to a session, so that a page of ours sends it.
    pub proves: Proves,
    /// Hides from callers where the log of all tenants stands.
    pub cover: TokenCover,
}

/// A credential, by the way in which it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<T> {
    /// `Authorization: Bearer` or `X-API-Key`.
    Header(T),
    /// The cookie of a session. A browser also sends it for pages of others.
    Session(T),
}

impl<T: AsRef<str>> Credential<T> {
    /// The same, borrowed.
    pub fn as_str(&self) -> Credential<&str> {
        match self {
            Self::Header(text) => Credential::Header(text.as_ref()),
            Self::Session(text) => Credential::Session(text.as_ref()),
        }
    }

    /// The same, as a text of its own.
    pub fn to_owned(&self) -> Credential<String> {
        match self {
            Self::Header(text) => Credential::Header(text.as_ref().to_owned()),
            Self::Session(text) => Credential::Session(text.as_ref().to_owned()),
        }
    }
}

/// Hides the position in a consistency token from the callers who carry it.
#[derive(Clone)]
pub struct TokenCover {
    /// The token as a caller gets it.
    pub hide: Cover,
    /// The token that was hidden; none if this is not one.
    pub show: Cover,
}

/// One text for another.
pub type Cover = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The caller with this credential at this address, if both are known.
pub type Recall = Arc<dyn Fn(Credential<&str>, IpAddr) -> Option<Arc<Identity>> + Send + Sync>;

/// The caller with this credential at this address.
pub type Verify = Arc<
    dyn Fn(Credential<String>, IpAddr) -> BoxFuture<'static, Result<Arc<Identity>, Problem>> + Send + Sync,
>;

/// Whether the second text is the token of the session that the first one is. It takes the same time for every token.
pub type Proves = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Told of each request that is answered with 401 or 403, before the answer is sent. It must be quick and must not wait: it runs on
/// the connection's task.
pub type OnRefusal = Arc<dyn Fn(&RefusedRequest<'_>) + Send + Sync>;

/// A request that is refused because of its caller.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'r> {
    /// The id of the request.
    pub request_id: &'r str,
    /// Its method.
    pub method: &'static str,
    /// The path of the route, with the names of its parameters.
    pub template: &'r str,
    /// The address from which it came.
    pub client: IpAddr,
    /// The caller, if a credential proves who that is.
    pub caller: Option<&'r Identity>,
    /// Why it is refused.
    pub code: Code,
    /// The same in words, as the answer says it.
    pub detail: &'r str,
}

/// Decides about each request once, after every guard that costs nothing and before anything is looked up for it: the place
/// of a rate limit. It must be quick and must not wait: it runs on the connection's task.
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
    /// Its gRPC methods.
    pub grpc: Option<GrpcRoutes>,
    /// Whether it is about the whole installation, so that a credential of one tenant is not enough.
    pub is_for_operators: bool,
    /// Whether `/openapi.json` leaves it out: pages for people, and operations that another server describes.
    pub is_unlisted: bool,
}

/// The gRPC methods of a service.
#[derive(Clone, Debug, Default)]
pub struct GrpcRoutes {
    /// The handler of each service: the edge knows the method of a call and needs no router.
    pub services: Vec<(&'static str, GrpcService)>,
    /// The methods. One that is not listed is not served.
    pub methods: Vec<GrpcMethod>,
    /// The descriptions of services and messages, each a serialized `FileDescriptorSet`.
    pub descriptors: Vec<&'static [u8]>,
}

/// The handler of a gRPC service. It is always ready.
pub type GrpcService = BoxCloneSyncService<Request<Body>, Response, Infallible>;

/// One method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcMethod {
    /// `/package.Service/Method`.
    pub path: String,
    /// Whether the request or the answer is a stream, which may take as long as the caller lets it.
    pub streams: bool,
    /// Whether it changes nothing: then the access log takes it for a read.
    pub reads: bool,
}

/// Makes the gRPC services that every server has, health and reflection, out of those of the services.
pub type GrpcSystem = Arc<dyn Fn(&[&GrpcRoutes], Readiness) -> Result<GrpcRoutes, String> + Send + Sync>;

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

    /// Refuses the credentials of tenants: the operations are about the data of all of them.
    #[must_use]
    pub fn for_operators(mut self) -> Self {
        self.is_for_operators = true;
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

    /// Has callers prove who they are, unless an operation is for everybody.
    #[must_use]
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = Some(authentication);
        self
    }

    /// Has `gate` decide about every request.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Has `told` learn of every request that is refused because of its caller.
    #[must_use]
    pub fn on_refusal(mut self, told: OnRefusal) -> Self {
        self.on_refusal = Some(told);
        self
    }

    /// Has health and reflection served beside the gRPC methods of services.
    #[must_use]
    pub fn grpc_system(mut self, system: GrpcSystem) -> Self {
        self.grpc_system = Some(system);
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
        Self {
            name,
            routes,
            limits,
            hot: Vec::new(),
            errors: None,
            grpc: None,
            is_for_operators: false,
            is_unlisted: false,
        }
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

    /// Serves gRPC methods beside the routes.
    #[must_use]
    pub fn grpc(mut self, routes: GrpcRoutes) -> Self {
        self.grpc = Some(routes);
        self
    }

    /// Refuses the credentials of tenants: the operations are about the data of all of them.
    #[must_use]
    pub fn for_operators(mut self) -> Self {
        self.is_for_operators = true;
        self
    }

    /// Keeps its operations out of `/openapi.json`. They are served all the same.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.is_unlisted = true;
        self
    }

    /// Has error answers on its paths take this form.
    #[must_use]
    pub fn error_shape(mut self, shape: ErrorShape) -> Self {
        self.errors = Some(shape);
        self
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authentication")
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

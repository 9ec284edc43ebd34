//! The edge's own table of routes, built from the OpenAPI document: an undocumented route does not exist.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use pando_telemetry::{Counter, Histogram, LATENCY_BUCKETS, Metrics};
use utoipa::openapi::{OpenApi, PathItem};

use crate::error_shape::ErrorShapes;
use crate::hot::{HotFind, HotRead};
use crate::operation_names::{SYSTEM, operations};
use crate::pace::PaceLimits;
use crate::scopes::{Scope, scope_of, scope_of_method};
use crate::{Code, GrpcMethod, GrpcRoutes, GrpcService, HttpError, HttpOptions, RouteLimits};

/// The methods the metrics know by name; anything else is `OTHER`.
const METHODS: [(&str, Method); 7] = [
    ("GET", Method::GET),
    ("HEAD", Method::HEAD),
    ("POST", Method::POST),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("DELETE", Method::DELETE),
    ("OPTIONS", Method::OPTIONS),
];
const OTHER: usize = METHODS.len();

/// The statuses that have a counter of their own in each route; any other is looked up.
const STATUSES: [u16; 30] = [
    200, 201, 202, 204, 206, 301, 303, 304, 400, 401, 402, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422,
    428, 429, 431, 500, 501, 502, 503, 504, 507,
];

/// How many statuses gRPC has.
pub(crate) const GRPC_STATUSES: usize = 17;

/// The deadline of a streamed route: its limit is the pause between two pieces.
const ENDLESS: Duration = Duration::from_secs(30 * 86_400);

const ERRORS_HELP: &str = "Requests answered with an error, by its code.";

/// Every route, by path.
pub(crate) struct RouteTable {
    paths: matchit::Router<usize>,
    routes: Vec<RouteEntry>,
    unknown: RouteEntry,
    /// Whether the routes that are added are about the whole installation.
    pub(crate) is_for_operators: bool,
    pub(crate) error_shapes: ErrorShapes,
}

/// One path with what the edge must know of it.
pub(crate) struct RouteEntry {
    pub(crate) template: Arc<str>,
    pub(crate) body_bytes_max: u64,
    pub(crate) deadline: Duration,
    /// Where a body may come for longer than the grace for slow ones: how fast it must come.
    pub(crate) pace: Option<PaceLimits>,
    pub(crate) allow: HeaderValue,
    pub(crate) hot: Option<HotFind>,
    /// The handler of its service, if it is a gRPC method.
    pub(crate) grpc: Option<GrpcService>,
    /// Whether it is a gRPC method that changes nothing.
    pub(crate) reads: bool,
    /// The scope that each method asks for; none if it is for everybody.
    scopes: [Option<Scope>; OTHER + 1],
    /// Whether it is about the data of all tenants: those of its methods that ask for a scope refuse the credential of one.
    pub(crate) is_for_operators: bool,
    methods: [bool; OTHER + 1],
    service: &'static str,
    metrics: Metrics,
    series: [OnceLock<Box<MethodSeries>>; OTHER + 1],
    grpc_statuses: [OnceLock<Counter>; GRPC_STATUSES],
}

struct MethodSeries {
    duration: Histogram,
    statuses: [OnceLock<Counter>; STATUSES.len()],
    errors: [OnceLock<Counter>; Code::ALL.len()],
}

/// The position of a route in the table: a future that waits keeps it instead of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteIndex(usize);

/// The route of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found<'p> {
    pub(crate) index: RouteIndex,
    /// The last parameter of the path; empty where it has none.
    pub(crate) name: &'p str,
}

/// The position of a method in the tables of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MethodIndex(usize);

impl MethodIndex {
    /// An unknown or unreadable method.
    pub(crate) const OTHER: Self = Self(OTHER);

    pub(crate) fn of(method: &Method) -> Self {
        Self(METHODS.iter().position(|(_, known)| known == method).unwrap_or(OTHER))
    }

    pub(crate) fn name(self) -> &'static str {
        METHODS.get(self.0).map_or("OTHER", |(name, _)| name)
    }

    pub(crate) fn is_read(self) -> bool {
        self.0 < 2
    }
}

impl RouteTable {
    pub(crate) fn new(options: &HttpOptions, metrics: &Metrics) -> Self {
        let unknown = RouteEntry::new("unknown", "none", [false; OTHER + 1], options, None, metrics);
        Self {
            paths: matchit::Router::new(),
            routes: Vec::new(),
            unknown,
            is_for_operators: false,
            error_shapes: ErrorShapes::default(),
        }
    }

    /// Adds every path of a service's document.
    pub(crate) fn add(
        &mut self,
        service: &'static str,
        document: &OpenApi,
        limits: &[RouteLimits],
        options: &HttpOptions,
    ) -> Result<(), HttpError> {
        for (path, item) in &document.paths.paths {
            let limits = limits.iter().find(|limits| limits.path == path);
            let metrics = self.unknown.metrics.clone();
            let mut route = RouteEntry::new(path, service, documented(item), options, limits, &metrics);
            // Metrics, which every server may have, count the requests of all tenants.
            route.is_for_operators = self.is_for_operators || service == SYSTEM;
            for (method, operation) in operations(&mut item.clone()) {
                let scope = scope_of(service, method, operation);
                let place = METHODS.iter().position(|(name, _)| name.eq_ignore_ascii_case(method));
                route.scopes[place.unwrap_or(OTHER)] = scope;
            }
            // HEAD is answered as GET is.
            route.scopes[1] = route.scopes[1].take().or_else(|| route.scopes[0].clone());
            self.paths
                .insert(path.clone(), self.routes.len())
                .map_err(|error| HttpError::Route { path: path.clone(), reason: error.to_string() })?;
            self.routes.push(route);
        }
        match limits.iter().find(|limits| !self.has(limits.path)) {
            Some(stray) => Err(HttpError::Route {
                path: stray.path.to_owned(),
                reason: "has limits but no route".to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Adds the gRPC methods of a service, before its paths. A stream has no deadline but its caller's.
    pub(crate) fn add_grpc(
        &mut self,
        service: &'static str,
        grpc: &GrpcRoutes,
        limits: &[RouteLimits],
        options: &HttpOptions,
    ) -> Result<(), HttpError> {
        let post = METHODS.map(|(name, _)| name == "POST");
        let owner = service;
        let mut allowed = [false; OTHER + 1];
        allowed[..OTHER].copy_from_slice(&post);
        for method in &grpc.methods {
            let GrpcMethod { path, streams, reads } = method;
            let metrics = self.unknown.metrics.clone();
            let limits = limits.iter().find(|limits| limits.path == path);
            let mut route = RouteEntry::new(path, service, allowed, options, limits, &metrics);
            let name = path.trim_start_matches('/').split_once('/').map_or("", |(name, _)| name);
            let service = grpc.services.iter().find(|(service, _)| *service == name);
            let no_service =
                || HttpError::Route { path: path.clone(), reason: "no service has it".to_owned() };
            route.grpc = Some(service.ok_or_else(no_service)?.1.clone());
            route.reads = *reads;
            route.scopes[2] = scope_of_method(owner, method);
            route.deadline = match streams {
                true => ENDLESS,
                false => Duration::from_millis(
                    limits.and_then(|limits| limits.deadline_ms).unwrap_or(options.grpc_deadline_ms),
                ),
            };
            if *streams {
                route.pace = Some(PaceLimits::new(options, None));
                route.body_bytes_max = u64::MAX;
            }
            self.paths
                .insert(path.clone(), self.routes.len())
                .map_err(|error| HttpError::Route { path: path.clone(), reason: error.to_string() })?;
            self.routes.push(route);
        }
        Ok(())
    }

    fn has(&self, path: &str) -> bool {
        self.routes.iter().any(|route| &*route.template == path)
    }

    /// The route of a path, which is matched as it was sent: `..` and escapes mean nothing here.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<Found<'p>> {
        let found = self.paths.at(path).ok()?;
        let name = found.params.iter().last().map_or("", |(_, value)| value);
        Some(Found { index: RouteIndex(*found.value), name })
    }

    /// Has `GET` of a route asked of memory first.
    pub(crate) fn heat(&mut self, hot: HotRead) -> Result<(), HttpError> {
        let route = self.routes.iter_mut().find(|route| *route.template == *hot.path);
        let stray =
            || HttpError::Route { path: hot.path.to_owned(), reason: "has a hot read but no GET".to_owned() };
        let route = route.filter(|route| route.allows(MethodIndex::of(&Method::GET))).ok_or_else(stray)?;
        route.hot = Some(hot.find);
        Ok(())
    }

    /// The route; for an unknown path, the entry under which such requests are counted.
    pub(crate) fn entry(&self, found: Option<RouteIndex>) -> &RouteEntry {
        found.map_or(&self.unknown, |index| &self.routes[index.0])
    }

    /// Where requests without a route are counted.
    pub(crate) fn unknown(&self) -> &RouteEntry {
        &self.unknown
    }
}

fn documented(item: &PathItem) -> [bool; OTHER + 1] {
    let get = item.get.is_some();
    let head = get || item.head.is_some();
    // In the order of METHODS; OPTIONS is answered by the edge when no handler does.
    [
        get,
        head,
        item.post.is_some(),
        item.put.is_some(),
        item.patch.is_some(),
        item.delete.is_some(),
        item.options.is_some(),
        false,
    ]
}

impl RouteEntry {
    fn new(
        template: &str,
        service: &'static str,
        methods: [bool; OTHER + 1],
        options: &HttpOptions,
        limits: Option<&RouteLimits>,
        metrics: &Metrics,
    ) -> Self {
        let mut allowed: Vec<&str> =
            METHODS.iter().zip(methods).filter(|(_, allowed)| *allowed).map(|((name, _), _)| *name).collect();
        if !allowed.contains(&"OPTIONS") {
            allowed.push("OPTIONS");
        }
        let body_idle = limits.and_then(|limits| limits.body_idle_ms).map(Duration::from_millis);
        let own_deadline = limits.and_then(|limits| limits.deadline_ms).map(Duration::from_millis);
        let deadline = own_deadline.unwrap_or(match body_idle {
            Some(_) => ENDLESS,
            None => Duration::from_millis(options.deadline_ms),
        });
        let grace = Duration::from_millis(options.body_grace_ms);
        Self {
            template: template.into(),
            body_bytes_max: limits.and_then(|limits| limits.body_bytes_max).unwrap_or(options.body_bytes_max),
            deadline,
            pace: (body_idle.is_some() || deadline > grace).then(|| PaceLimits::new(options, body_idle)),
            allow: HeaderValue::try_from(allowed.join(", ")).expect("method names are visible ASCII"),
            hot: None,
            grpc: None,
            reads: false,
            scopes: [const { None }; OTHER + 1],
            is_for_operators: false,
            methods,
            service,
            metrics: metrics.clone(),
            series: [const { OnceLock::new() }; OTHER + 1],
            grpc_statuses: [const { OnceLock::new() }; GRPC_STATUSES],
        }
    }

    pub(crate) fn allows(&self, method: MethodIndex) -> bool {
        self.methods[method.0]
    }

    /// The scope that the method asks for; none if it is for everybody.
    pub(crate) fn scope(&self, method: MethodIndex) -> Option<&Scope> {
        self.scopes[method.0].as_ref()
    }

    /// Counts one answer.
    pub(crate) fn record(&self, method: MethodIndex, status: StatusCode, took: Duration) {
        let series = self.series(method);
        series.duration.observe_duration(took);
        let counter = |status: StatusCode| {
            let labels = [
                ("service", self.service),
                ("method", method.name()),
                ("endpoint", &*self.template),
                ("status", status.as_str()),
            ];
            self.metrics.counter("http_requests_total", "Requests answered.", &labels)
        };
        match STATUSES.binary_search(&status.as_u16()) {
            Ok(index) => series.statuses[index].get_or_init(|| counter(status)).inc(),
            Err(_) => counter(status).inc(),
        }
    }

    /// Counts one failure by its code.
    pub(crate) fn record_error(&self, method: MethodIndex, code: Code) {
        let index = Code::ALL.iter().position(|known| *known == code).unwrap_or(0);
        let counter = self.series(method).errors[index].get_or_init(|| {
            let labels =
                [("method", method.name()), ("endpoint", &*self.template), ("error_type", code.name())];
            self.metrics.counter("http_errors_total", ERRORS_HELP, &labels)
        });
        counter.inc();
    }

    /// Counts the status of a gRPC answer.
    pub(crate) fn record_grpc(&self, status: usize, name: &'static str) {
        let counter = self.grpc_statuses[status].get_or_init(|| {
            let labels = [("service", self.service), ("method", &*self.template), ("status", name)];
            self.metrics.counter("grpc_responses_total", "gRPC answers, by their status.", &labels)
        });
        counter.inc();
    }

    /// Counts an answer that broke off after its head was sent.
    pub(crate) fn record_aborted(&self, method: MethodIndex) {
        let labels = [("method", method.name()), ("endpoint", &*self.template), ("error_type", "aborted")];
        self.metrics.counter("http_errors_total", ERRORS_HELP, &labels).inc();
    }

    /// Whether it is one of the server's own: health, metrics, documents.
    pub(crate) fn is_system(&self) -> bool {
        self.service == SYSTEM
    }

    fn series(&self, method: MethodIndex) -> &MethodSeries {
        self.series[method.0].get_or_init(|| {
            let labels =
                [("service", self.service), ("method", method.name()), ("endpoint", &*self.template)];
            let help = "Time from a request's head to its answer's head.";
            Box::new(MethodSeries {
                duration: self.metrics.histogram(
                    "http_request_duration_seconds",
                    help,
                    &labels,
                    LATENCY_BUCKETS,
                ),
                statuses: [const { OnceLock::new() }; STATUSES.len()],
                errors: [const { OnceLock::new() }; Code::ALL.len()],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::openapi::path::{HttpMethod, OperationBuilder};
    use utoipa::openapi::{OpenApiBuilder, Paths};

    fn table(paths: &[(&str, Vec<HttpMethod>)], limits: &[RouteLimits]) -> Result<RouteTable, HttpError> {
        let mut all = Paths::new();
        for (path, methods) in paths {
            all.add_path_operation(path, methods.clone(), OperationBuilder::new().build());
        }
        let document = OpenApiBuilder::new().paths(all).build();
        let options = HttpOptions::default();
        let mut table = RouteTable::new(&options, &Metrics::new());
        table.add("test", &document, limits, &options)?;
        Ok(table)
    }

    #[test]
    fn statuses_are_sorted_so_that_they_can_be_found() {
        assert!(STATUSES.is_sorted());
    }

    #[test]
    fn paths_match_as_they_were_sent() {
        let table = table(
            &[
                ("/api/v1/profiles", vec![HttpMethod::Get, HttpMethod::Post]),
                ("/api/v1/profiles:batch", vec![HttpMethod::Post]),
                ("/api/v1/profiles/random", vec![HttpMethod::Post]),
                ("/api/v1/profiles/{id}", vec![HttpMethod::Get, HttpMethod::Delete]),
                ("/api/v1/profiles/{id}/full", vec![HttpMethod::Get]),
                ("/media/{*path}", vec![HttpMethod::Get]),
            ],
            &[],
        )
        .unwrap();
        for (path, template) in [
            ("/api/v1/profiles", Some("/api/v1/profiles")),
            ("/api/v1/profiles:batch", Some("/api/v1/profiles:batch")),
            ("/api/v1/profiles/random", Some("/api/v1/profiles/random")),
            ("/api/v1/profiles/7", Some("/api/v1/profiles/{id}")),
            ("/api/v1/profiles/..", Some("/api/v1/profiles/{id}")),
            ("/api/v1/profiles/7/full", Some("/api/v1/profiles/{id}/full")),
            ("/media/a/b", Some("/media/{*path}")),
            ("/api/v1/profiles/", None),
            ("/api/v1/../v1/profiles", None),
            ("/api/v1/profiles%2f7", None),
            ("//api/v1/profiles", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(
                table.find(path).map(|found| &*table.entry(Some(found.index)).template),
                template,
                "{path}"
            );
        }
        let found = table.find("/api/v1/profiles/7").unwrap();
        assert_eq!(found.name, "7");
        let route = table.entry(Some(found.index));
        assert_eq!(route.allow, "GET, HEAD, DELETE, OPTIONS");
        assert!(route.allows(MethodIndex::of(&Method::HEAD)));
        assert!(!route.allows(MethodIndex::of(&Method::POST)));
        assert!(!route.allows(MethodIndex::of(&Method::TRACE)));
    }

    #[test]
    fn limits_belong_to_a_route() {
        let upload = RouteLimits {
            path: "/up",
            body_bytes_max: Some(10),
            body_idle_ms: Some(5),
            ..RouteLimits::default()
        };
        let table_with = table(&[("/up", vec![HttpMethod::Post])], std::slice::from_ref(&upload)).unwrap();
        let route = table_with.entry(table_with.find("/up").map(|found| found.index));
        assert_eq!(route.body_bytes_max, 10);
        assert_eq!(route.pace.unwrap().pause, Duration::from_millis(5));
        assert_eq!(route.deadline, ENDLESS);
        assert!(table(&[("/other", vec![HttpMethod::Post])], &[upload]).is_err());
    }
}

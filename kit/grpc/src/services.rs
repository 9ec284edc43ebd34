//! tonic services as routes of the edge.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http_body_util::BodyExt as _;
use pando_http::{Code, GrpcMethod, GrpcRoutes, GrpcService, body_problem};
use pando_resilience::Call;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use prost_types::method_options::IdempotencyLevel;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Status};
use tower::{Service, ServiceExt as _};

/// gRPC services, as they are added one after the other.
#[derive(Clone, Debug, Default)]
pub struct GrpcServices {
    routes: GrpcRoutes,
}

/// A descriptor that does not describe the service that was added with it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the descriptor of {service}: {reason}")]
pub struct BadDescriptor {
    service: &'static str,
    reason: String,
}

impl BadDescriptor {
    pub(crate) fn of(service: &'static str, error: impl std::fmt::Display) -> Self {
        Self { service, reason: error.to_string() }
    }
}

impl GrpcServices {
    /// Adds a service, and the serialized `FileDescriptorSet` that describes it: the edge knows no other methods.
    pub fn add<S>(self, descriptor: &'static [u8], service: S) -> Result<Self, BadDescriptor>
    where
        S: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.add_as(S::NAME, descriptor, service)
    }

    /// The same, by another name with the same methods.
    pub fn add_as<S>(
        mut self,
        name: &'static str,
        descriptor: &'static [u8],
        service: S,
    ) -> Result<Self, BadDescriptor>
    where
        S: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.methods.extend(methods_of(name, descriptor)?);
        let of_edge = |request: http::Request<axum::body::Body>| {
            request.map(|body| Body::new(body.map_err(|error| refused(&error))))
        };
        // The generated service knows its methods by its own name.
        let renamed = move |mut request: http::Request<Body>| {
            if name != S::NAME
                && let Some((_, method)) = request.uri().path().rsplit_once('/')
                && let Ok(path) = format!("/{}/{method}", S::NAME).parse()
            {
                *request.uri_mut() = path;
            }
            request
        };
        let service = service.map_request(renamed).map_request(of_edge);
        let service = service.map_response(IntoResponse::into_response);
        self.routes.services.push((name, GrpcService::new(service)));
        if !self.routes.descriptors.contains(&descriptor) {
            self.routes.descriptors.push(descriptor);
        }
        Ok(self)
    }

    /// The routes, for [`ServiceRoutes::grpc`](pando_http::ServiceRoutes::grpc).
    pub fn into_routes(self) -> GrpcRoutes {
        self.routes
    }
}

fn methods_of(service: &'static str, descriptor: &[u8]) -> Result<Vec<GrpcMethod>, BadDescriptor> {
    let bad = |reason: String| BadDescriptor { service, reason };
    let files = FileDescriptorSet::decode(descriptor).map_err(|error| bad(error.to_string()))?;
    let mut methods = Vec::new();
    for file in &files.file {
        let named = |name: &str| match file.package() {
            "" => name == service,
            package => service.strip_prefix(package).and_then(|rest| rest.strip_prefix('.')) == Some(name),
        };
        for found in file.service.iter().filter(|found| named(found.name())) {
            methods.extend(found.method.iter().map(|method| {
                GrpcMethod {
                    path: format!("/{service}/{}", method.name()),
                    streams: method.client_streaming() || method.server_streaming(),
                    reads: method.options.as_ref().is_some_and(|options| {
                        options.idempotency_level() == IdempotencyLevel::NoSideEffects
                    }),
                }
            }));
        }
    }
    if methods.is_empty() { Err(bad("it has no method of this service".to_owned())) } else { Ok(methods) }
}

/// The status of a request whose body the edge did not let through.
fn refused(error: &axum::Error) -> Status {
    let problem = body_problem(error);
    match problem.code() {
        Code::TooLarge => Status::resource_exhausted("the message is larger than this method allows"),
        Code::RequestTimeout => Status::deadline_exceeded(problem.detail()),
        _ => Status::cancelled(problem.detail()),
    }
}

/// The call that the edge made of a request: its deadline, its id, its caller and its consistency token.
pub fn caller<T>(request: &Request<T>) -> Result<Call, Status> {
    pando_http::call_of(request.extensions())
        .ok_or_else(|| Status::internal("the request did not come through the edge"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_of_a_service_are_those_of_its_descriptor() {
        let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let methods = methods_of("grpc.health.v1.Health", health).expect("it is described");
        let method = |name: &str, streams| GrpcMethod {
            path: format!("/grpc.health.v1.Health/{name}"),
            streams,
            reads: false,
        };
        assert_eq!(methods[..2], [method("Check", false), method("Watch", true)]);
        for (service, descriptor, reason) in [
            (
                "grpc.health.v1.Other",
                health,
                "the descriptor of grpc.health.v1.Other: it has no method of this service",
            ),
            (
                "health.v1.Health",
                health,
                "the descriptor of health.v1.Health: it has no method of this service",
            ),
        ] {
            assert_eq!(methods_of(service, descriptor).unwrap_err().to_string(), reason);
        }
        assert!(methods_of("x", &[0xff]).is_err());
    }
}

//! The services that every gRPC server has: health and reflection.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{Stream, unfold};
use pando_http::{GrpcRoutes, Readiness};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{FILE_DESCRIPTOR_SET as HEALTH, HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::{v1, v1alpha};
use tonic_reflection::server::Builder;

use crate::{BadDescriptor, GrpcServices};

/// How often a watcher of the health looks at it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `grpc.health.v1.Health`, which says what `/health/ready` says, and `ServerReflection` (v1 and v1alpha), which describes
/// all of these services.
pub fn system_routes(services: &[&GrpcRoutes], readiness: Readiness) -> Result<GrpcRoutes, BadDescriptor> {
    let names: BTreeSet<String> = services
        .iter()
        .flat_map(|routes| &routes.methods)
        .filter_map(|method| service_of(&method.path))
        .collect();
    let mut reflected: Vec<&'static [u8]> = vec![HEALTH];
    for descriptor in services.iter().flat_map(|routes| &routes.descriptors) {
        if !reflected.contains(descriptor) {
            reflected.push(descriptor);
        }
    }
    let builder = || {
        reflected
            .iter()
            .fold(Builder::configure(), |builder, set| builder.register_encoded_file_descriptor_set(set))
    };
    let bad = |error: tonic_reflection::server::Error| BadDescriptor::of("reflection", error);
    Ok(GrpcServices::default()
        .add(HEALTH, HealthServer::new(OfReadiness { readiness, names }))?
        .add(v1::FILE_DESCRIPTOR_SET, builder().build_v1().map_err(bad)?)?
        .add(v1alpha::FILE_DESCRIPTOR_SET, builder().build_v1alpha().map_err(bad)?)?
        .into_routes())
}

fn service_of(path: &str) -> Option<String> {
    path.strip_prefix('/')?.rsplit_once('/').map(|(service, _)| service.to_owned())
}

/// The health of this server: all of its services are healthy together.
struct OfReadiness {
    readiness: Readiness,
    names: BTreeSet<String>,
}

impl OfReadiness {
    /// Whether the server as a whole is meant, or a service of its.
    fn knows(&self, request: &Request<HealthCheckRequest>) -> bool {
        let service = &request.get_ref().service;
        service.is_empty() || self.names.contains(service)
    }
}

async fn status_of(readiness: &Readiness) -> ServingStatus {
    if readiness.is_ready().await { ServingStatus::Serving } else { ServingStatus::NotServing }
}

#[tonic::async_trait]
impl Health for OfReadiness {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request) {
            return Err(Status::not_found("this server has no service of this name"));
        }
        let status = status_of(&self.readiness).await.into();
        Ok(Response::new(HealthCheckResponse { status }))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.knows(&request);
        let changes = unfold((self.readiness.clone(), None), move |(readiness, last)| async move {
            loop {
                let status = if known { status_of(&readiness).await } else { ServingStatus::ServiceUnknown };
                if last != Some(status) {
                    return Some((
                        Ok(HealthCheckResponse { status: status.into() }),
                        (readiness, Some(status)),
                    ));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

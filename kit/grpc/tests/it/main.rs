//! gRPC behind the edge, with a client of tonic's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{BoxStream, StreamExt as _, pending};
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pando_clock::Clock;
use pando_grpc::{GrpcRoutes, GrpcServices, Request, Response, Status, caller, system_routes};
use pando_http::{App, Dependency, HttpOptions, Server, ServiceRoutes, Stop};
use pando_telemetry::Metrics;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::server::NamedService;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{FILE_DESCRIPTOR_SET, HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::Service;
use utoipa_axum::router::OpenApiRouter;

/// A service with the interface of health, whose answer depends on the name that is asked for.
#[derive(Clone, Default)]
struct Odd {
    /// How many of its methods are at work.
    at_work: Arc<AtomicUsize>,
}

struct AtWork(Arc<AtomicUsize>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Odd {
    fn work(&self) -> AtWork {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        AtWork(self.at_work.clone())
    }
}

#[tonic::async_trait]
impl Health for Odd {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let _work = self.work();
        let call = caller(&request)?;
        match request.get_ref().service.as_str() {
            "slow" => std::future::pending().await,
            "broken" => panic!("it is broken"),
            "none" => Err(Status::not_found("no such tree: 100 % sure")),
            _ => {
                let mut response = Response::new(HealthCheckResponse { status: 1 });
                response.metadata_mut().insert("seen-id", call.request_id.parse().unwrap());
                Ok(response)
            }
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let work = self.work();
        let one = futures_util::stream::once(async { Ok(HealthCheckResponse { status: 1 }) });
        let endless = request.get_ref().service == "endless";
        let rest = if endless { pending().boxed() } else { futures_util::stream::empty().boxed() };
        // At work until the stream is dropped.
        let answers = one.chain(rest).map(move |answer| (&work, answer).1);
        Ok(Response::new(answers.boxed()))
    }
}

/// A server, and what is counted in it.
struct Running {
    address: SocketAddr,
    metrics: Metrics,
    stop: oneshot::Sender<Stop>,
    served: JoinHandle<()>,
}

impl Running {
    fn serve(app: App, options: &HttpOptions) -> Self {
        let (metrics, (stop, stopped)) = (Metrics::new(), oneshot::channel());
        let server = Server::bind(options, app, &metrics, &Clock::system()).unwrap();
        let address = server.local_addr();
        let served = pando_telemetry::spawn("test.server", async move {
            server.run(async { stopped.await.unwrap_or(Stop::AtOnce) }).await;
        });
        Self { address, metrics, stop, served }
    }

    /// A client that keeps no deadlines: those are the server's to keep.
    fn health(&self) -> HealthClient<Http2> {
        HealthClient::with_origin(http2(), self.origin())
    }

    fn origin(&self) -> Uri {
        format!("http://{}", self.address).parse().unwrap()
    }

    async fn stop(self) {
        let _ = self.stop.send(Stop::AtOnce);
        self.served.await.unwrap();
    }
}

type Http2 = Client<HttpConnector, tonic::body::Body>;

fn http2() -> Http2 {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn options() -> HttpOptions {
    HttpOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        drain_delay_ms: 0,
        health_kept_ms: 0,
        ..HttpOptions::default()
    }
}

fn odd(odd: &Odd) -> App {
    let routes = GrpcServices::default().add(FILE_DESCRIPTOR_SET, HealthServer::new(odd.clone())).unwrap();
    App::new("Odd", "1")
        .serve(ServiceRoutes::new("odd", OpenApiRouter::new(), vec![]).grpc(routes.into_routes()))
}

fn ask(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.to_owned() })
}

/// Waits until no method is at work: a method that is dropped ends a moment after its answer.
async fn at_rest(odd: &Odd) {
    let resting = async {
        while odd.at_work.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), resting).await.expect("every method ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_named_and_bounded_like_a_request() {
    let service = Odd::default();
    let running = Running::serve(odd(&service), &HttpOptions { grpc_deadline_ms: 400, ..options() });
    let mut client = running.health();

    let mut named = ask("fine");
    named.metadata_mut().insert("x-request-id", "abc-7".parse().unwrap());
    let answer = client.check(named).await.unwrap();
    assert_eq!(answer.metadata().get("seen-id").unwrap(), "abc-7");
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "abc-7");

    let began = Instant::now();
    let mut hurried = ask("slow");
    hurried.set_timeout(Duration::from_millis(50));
    assert_eq!(client.check(hurried).await.unwrap_err().code(), Code::DeadlineExceeded);
    let hurried = began.elapsed();
    let mut patient = ask("slow");
    patient.set_timeout(Duration::from_secs(3_600));
    assert_eq!(client.check(patient).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(hurried < began.elapsed() / 2, "the caller's deadline counts, and the server's is the longest");
    at_rest(&service).await;

    for (name, code) in [("none", Code::NotFound), ("broken", Code::Internal)] {
        let refused = client.check(ask(name)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    assert_eq!(client.check(ask("none")).await.unwrap_err().message(), "no such tree: 100 % sure");
    let counted = running.metrics.render();
    for (status, count) in [("OK", 1), ("DEADLINE_EXCEEDED", 2), ("NOT_FOUND", 2), ("INTERNAL", 1)] {
        let line = format!(
            "grpc_responses_total{{method=\"/grpc.health.v1.Health/Check\",service=\"odd\",status=\"{status}\"}} {count}"
        );
        assert!(counted.contains(&line), "{line} is not in\n{counted}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_at_its_callers_deadline_and_when_its_caller_leaves() {
    let service = Odd::default();
    let running = Running::serve(odd(&service), &HttpOptions { grpc_deadline_ms: 1, ..options() });
    let mut client = running.health();
    let mut whole = client.watch(ask("short")).await.unwrap().into_inner();
    assert!(whole.message().await.unwrap().is_some());
    assert!(whole.message().await.unwrap().is_none());

    let mut hurried = ask("endless");
    hurried.set_timeout(Duration::from_millis(100));
    let mut endless = client.watch(hurried).await.unwrap().into_inner();
    assert!(endless.message().await.unwrap().is_some());
    assert_eq!(endless.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    at_rest(&service).await;

    let mut left = client.watch(ask("endless")).await.unwrap().into_inner();
    assert!(left.message().await.unwrap().is_some());
    drop(left);
    at_rest(&service).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guards_refuse_is_a_status() {
    let service = Odd::default();
    let running = Running::serve(odd(&service), &HttpOptions { body_bytes_max: 100, ..options() });
    let large = running.health().check(ask(&"x".repeat(200))).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted, "{large:?}");
    let unknown = ServerReflectionClient::with_origin(http2(), running.origin())
        .server_reflection_info(futures_util::stream::empty())
        .await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);

    // A gRPC call over HTTP/1 gets a problem, as on any other route.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc\r\n\
                content-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("call it over HTTP/2"), "{answer}");
    assert!(service.at_work.load(Ordering::SeqCst) == 0);
    running.stop().await;
}

/// A service under another name.
#[derive(Clone)]
struct Renamed(HealthServer<Odd>);

impl NamedService for Renamed {
    const NAME: &'static str = "odd.v1.Odd";
}

impl Service<http::Request<tonic::body::Body>> for Renamed {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = <HealthServer<Odd> as Service<http::Request<tonic::body::Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<tonic::body::Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// The description of a service with one method.
fn odd_descriptor() -> &'static [u8] {
    let method = MethodDescriptorProto { name: Some("Check".to_owned()), ..MethodDescriptorProto::default() };
    let service = ServiceDescriptorProto {
        name: Some("Odd".to_owned()),
        method: vec![method],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("odd.proto".to_owned()),
        package: Some("odd.v1".to_owned()),
        service: vec![service],
        ..FileDescriptorProto::default()
    };
    Box::leak(FileDescriptorSet { file: vec![file] }.encode_to_vec().into_boxed_slice())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_what_the_probes_say_and_reflection_what_there_is() {
    let well = Arc::new(AtomicBool::new(true));
    let probed = well.clone();
    let probe = move || {
        let well = probed.load(Ordering::SeqCst);
        async move { if well { Ok(()) } else { Err("it is away") } }
    };
    let service = Odd::default();
    let system = |services: &[&GrpcRoutes], readiness| {
        system_routes(services, readiness).map_err(|error| error.to_string())
    };
    let routes = GrpcServices::default().add(odd_descriptor(), Renamed(HealthServer::new(service))).unwrap();
    let app = App::new("Odd", "1")
        .serve(ServiceRoutes::new("odd", OpenApiRouter::new(), vec![]).grpc(routes.into_routes()))
        .grpc_system(Arc::new(system))
        .dependency(Dependency::new("soil", Duration::from_secs(1), probe));
    let running = Running::serve(app, &options());
    let mut health = running.health();
    for (is_well, status) in [(true, 1), (false, 2), (true, 1)] {
        well.store(is_well, Ordering::SeqCst);
        for name in ["", "odd.v1.Odd"] {
            assert_eq!(health.check(ask(name)).await.unwrap().into_inner().status, status, "{name:?}");
        }
    }
    assert_eq!(health.check(ask("other")).await.unwrap_err().code(), Code::NotFound);
    let mut watched = health.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    well.store(false, Ordering::SeqCst);
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2);

    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let asked = futures_util::stream::once(async { list });
    let mut answers = ServerReflectionClient::with_origin(http2(), running.origin())
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list");
    };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    drop((answers, watched));
    running.stop().await;
}

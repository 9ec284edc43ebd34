//! The cost of the edge: the same small GET as a hot read, through the whole server, through axum on bare hyper, and through
//! hyper alone.
//!
//! `edge_cost MODE PORT` with MODE one of `hot`, `hot-request` (the same with `hot_wire` off), `edge`, `axum`, `hyper`
//! (`hot+log` logs too, `hot-tls` and `hyper-tls` speak TLS with a certificate of their own), or `packed` and `hyper-packed`: two kilobytes that are kept as gzip, for callers that take it
//! (`wrk -H 'accept-encoding: gzip'`); then for instance, server and client on a core each:
//! `taskset -c 0 edge_cost edge 9001 & taskset -c 1 wrk -c 32 -t 1 -d 5 http://127.0.0.1:9001/items/7`.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pando_clock::Clock;
use pando_http::{
    App, Encoding, HotAnswer, HotFind, HotRead, HotRequest, HttpOptions, Server, ServiceRoutes,
};
use pando_servers::{CertificateFiles, Certificates};
use pando_telemetry::Metrics;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const BODY: &[u8] = br#"{"profile":{"id":"0193a5f0-7c00-7000-8000-000000000007","name":"Zoe","email":"zoe@example.com","bio":"","version":3},"source":"cache"}"#;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[utoipa::path(get, path = "/items/{id}", params(("id" = String, Path)), responses((status = 200, description = "ok", body = String)))]
async fn item() -> axum::response::Response {
    ([(header::CONTENT_TYPE, JSON)], Bytes::from_static(BODY)).into_response()
}

fn from_memory(_asked: &HotRequest<'_>) -> Option<HotAnswer> {
    let (tag, cache) = (HeaderValue::from_static("\"3\""), HeaderValue::from_static("l1; age=0"));
    Some(HotAnswer { body: Bytes::from_static(BODY), encoding: Encoding::Identity, version: 3, tag, cache })
}

/// Two kilobytes of JSON with names and numbers that differ, as a profile with attributes has.
fn large_text() -> String {
    let parts = (0..40)
        .map(|number| format!(r#""field_{number}":"value {:x} of some length""#, number * 7_919 * 104_729));
    format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
}

fn packed_from_memory() -> HotFind {
    let text = Bytes::from(large_text());
    let packed = Encoding::Gzip.pack(&text);
    Arc::new(move |asked| {
        let encoding = asked.encoding_for(text.len());
        let body = if encoding == Encoding::Gzip { packed.clone()? } else { text.clone() };
        let (tag, cache) = (HeaderValue::from_static("\"3\""), HeaderValue::from_static("l1; age=0"));
        Some(HotAnswer { body, encoding, version: 3, tag, cache })
    })
}

async fn bare(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(BODY)));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(response)
}

async fn serve_bare<F, R, B>(port: u16, tls: Option<TlsAcceptor>, answer: F) -> Result<(), Box<dyn Error>>
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(answer.clone());
        let http = http1::Builder::new();
        match tls.clone() {
            None => {
                drop(pando_telemetry::spawn("bare", http.serve_connection(TokioIo::new(stream), service)))
            }
            Some(tls) => drop(pando_telemetry::spawn("bare", async move {
                let stream = tls.accept(stream).await?;
                http.serve_connection(TokioIo::new(stream), service).await.map_err(std::io::Error::other)
            })),
        }
    }
}

/// TLS as rustls comes.
fn acceptor(files: &CertificateFiles) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = vec![CertificateDer::from_pem_file(&files.certificate)?];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
    let config = config.with_single_cert(chain, PrivateKeyDer::from_pem_file(&files.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn run(mode: &str, port: u16) -> Result<(), Box<dyn Error>> {
    let certificates = Certificates::new();
    let certificate = certificates.server("server");
    match mode {
        "hyper" => serve_bare(port, None, bare).await,
        "hyper-tls" => serve_bare(port, Some(acceptor(&certificate)?), bare).await,
        "hyper-packed" => {
            let body = Encoding::Gzip.pack(large_text().as_bytes()).ok_or("it can be packed")?;
            serve_bare(port, None, move |_request| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().insert(header::CONTENT_TYPE, JSON);
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                std::future::ready(Ok(response))
            })
            .await
        }
        "axum" => {
            let router = axum::Router::new().route("/items/{id}", axum::routing::get(item));
            serve_bare(port, None, move |request| router.clone().call(request)).await
        }
        _ => {
            let mut options = HttpOptions { drain_delay_ms: 0, ..HttpOptions::default() };
            options.listen.set_port(port);
            options.hot_wire = mode != "hot-request";
            if mode.ends_with("-tls") {
                options.tls.certificate = Some(certificate.certificate);
                options.tls.key = Some(certificate.key);
            }
            let mut service =
                ServiceRoutes::new("cost", OpenApiRouter::new().routes(routes!(item)), Vec::new());
            let find: Option<HotFind> = match mode {
                "packed" => Some(packed_from_memory()),
                "hot" | "hot-request" | "hot+log" | "hot-tls" => Some(Arc::new(from_memory)),
                _ => None,
            };
            if let Some(find) = find {
                service = service.hot_read(HotRead { path: "/items/{id}", find });
            }
            let app = App::new("cost", "1").serve(service);
            let server = Server::bind(&options, app, &Metrics::new(), &Clock::system())?;
            server.run(std::future::pending::<()>()).await;
            Ok(())
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_else(|| "edge".to_owned());
    let port = arguments.next().map_or(Ok(9001), |port| port.parse())?;
    if mode.ends_with("+log") {
        pando_telemetry::start_logging(&pando_telemetry::LogOptions::default())?;
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(run(&mode, port))
}

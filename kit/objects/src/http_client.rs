//! The HTTP client of the house as the S3 library uses it.

use async_trait::async_trait;
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use object_store::ClientOptions as Theirs;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use pando_client::{Client, ClientError};

/// Gives the library our client; it has our options, and none of the library's.
#[derive(Clone, Debug)]
pub(crate) struct Connector(pub(crate) Client);

#[derive(Debug)]
struct Service(Client);

impl HttpConnector for Connector {
    fn connect(&self, _options: &Theirs) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.clone())))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let (mut parts, body) = self.0.stream(request).await.map_err(told)?.into_parts();
        // Some servers (rclone is one) send a part and call it the whole.
        if parts.status == StatusCode::OK && parts.headers.contains_key(header::CONTENT_RANGE) {
            parts.status = StatusCode::PARTIAL_CONTENT;
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(told))))
    }
}

/// Tells the library whether a request can be repeated.
fn told(error: ClientError) -> HttpError {
    let kind = match &error {
        ClientError::Unreachable { .. } | ClientError::UnknownHost => HttpErrorKind::Connect,
        ClientError::Broken { before_answer: true, .. } => HttpErrorKind::Request,
        ClientError::Broken { .. } => HttpErrorKind::Interrupted,
        ClientError::Late { .. } => HttpErrorKind::Timeout,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

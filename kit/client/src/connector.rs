//! Makes connections: looks a name up, checks its addresses, connects to one of them, and speaks TLS.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::IntoIter;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tokio_rustls::TlsConnector;
use tower::Service;

use crate::connection::Line;
use crate::{ClientError, Destination, Target};

/// Connects to the servers that the destination allows.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: TlsConnector,
    destination: Destination,
    patience: Duration,
}

/// Looks names up, and gives out only addresses that were checked.
#[derive(Clone)]
struct Resolver(Destination);

impl Connector {
    pub(crate) fn new(destination: Destination, tls: Arc<rustls::ClientConfig>, patience: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(destination.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience));
        Self { tcp, tls: TlsConnector::from(tls), destination, patience }
    }

    async fn connect(mut self, target: Target) -> Result<TokioIo<Line>, ClientError> {
        // An address that is written out is never looked up, so it does not come to the resolver.
        if self.destination.refusal(&target).is_some() {
            return Err(ClientError::Private);
        }
        let failed =
            |error: &(dyn std::error::Error + 'static)| ClientError::of_connecting(&target.authority, error);
        let stream = self.tcp.call(target.uri.clone()).await.map_err(|error| failed(&error))?.into_inner();
        if !target.encrypted {
            return Ok(TokioIo::new(Line::new(stream)));
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|error| failed(&error))?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| failed(&error))?;
        Ok(TokioIo::new(Line::new(stream)))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Line>;
    type Error = ClientError;
    type Future = BoxFuture<'static, Result<Self::Response, ClientError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let target = Target::of(&uri)?;
            let (patience, host) = (connector.patience, target.authority.clone());
            let connected = tokio::time::timeout(patience, connector.connect(target)).await;
            let reason = format!("no connection within {} ms", patience.as_millis());
            connected.unwrap_or(Err(ClientError::Unreachable { host, reason }))
        })
    }
}

impl Service<Name> for Resolver {
    type Response = IntoIter<SocketAddr>;
    type Error = ClientError;
    type Future = BoxFuture<'static, Result<Self::Response, ClientError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let destination = self.0.clone();
        Box::pin(async move { Ok(destination.resolve(name.as_str()).await?.into_iter()) })
    }
}

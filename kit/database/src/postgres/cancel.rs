//! Asks the server to stop a statement, and waits until the server has taken the request.
//!
//! The request goes over a connection of its own, which the server closes once it has read the request. The client must
//! not close it first: PgBouncer 1.18, which Debian 12 has, crashes in that case ("bad client state" in
//! `disconnect_client`) and breaks every connection behind it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::CancelToken;
use tokio_postgres::config::Host;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::connect::Target;
use super::encryption::{Connector, Encrypted};

/// The port of a server whose address names none.
const PORT: u16 = 5432;

/// Sends the request to the first server of the address, and returns when the server has closed the connection.
pub(crate) async fn cancel(token: &CancelToken, target: &Target) -> io::Result<()> {
    let config = &target.config;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.as_str(),
        _ => "",
    };
    let tls = Patient(target.encryption.to(host));
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    let sent = match (config.get_hostaddrs().first(), config.get_hosts().first()) {
        (Some(address), _) => send(token, TcpStream::connect((*address, port)).await?, tls).await,
        (None, Some(Host::Tcp(_))) => send(token, TcpStream::connect((host, port)).await?, tls).await,
        (None, Some(Host::Unix(folder))) => {
            send(token, UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?, tls).await
        }
        (None, None) => return Err(io::Error::other("the address names no server")),
    };
    sent.map_err(io::Error::other)
}

async fn send<S>(token: &CancelToken, stream: S, tls: Patient) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    token.cancel_query_raw(UntilClosed(stream), tls).await
}

/// Speaks TLS over a connection that the server closes: the farewell of TLS would count as closing it first.
struct Patient(Connector);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Patient {
    type Stream = UntilClosed<Encrypted<S>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<UntilClosed<Encrypted<S>>>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(self.0.connect(stream).map_ok(UntilClosed))
    }
}

impl<S: TlsStream + Unpin> TlsStream for UntilClosed<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

/// A connection whose shutdown is the other side's: it ends when that side has closed it.
struct UntilClosed<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for UntilClosed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for UntilClosed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

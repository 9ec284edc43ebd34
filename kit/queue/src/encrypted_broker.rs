//! A connection to the broker over TLS: the library opens the AMQP connection on a stream that is made here.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use pando_tls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects to a broker that speaks TLS.
pub(crate) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    tls: Arc<ClientConfig>,
) -> Result<Connection, lapin::Error> {
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), Encrypting(Tokio::current())));
    // Made before the library starts its loop, which would report the error in other words.
    let line = Line::open(&uri, tls).await?;
    let line = std::sync::Mutex::new(Some(line));
    let give = async move |_: AMQPUri, _: Runtime<_>| {
        let line = line.lock().ok().and_then(|mut line| line.take());
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the connection to the broker ended");
        Ok(AsyncTcpStream::Plain(line.ok_or_else(gone)?))
    };
    Connection::connector(uri, runtime, give, properties).await
}

/// tokio's reactor, but its streams are encrypted.
#[derive(Clone, Debug)]
struct Encrypting(Tokio);

impl Reactor for Encrypting {
    type TcpStream = Line;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, pause: Duration) -> Self::Sleep {
        self.0.sleep(pause)
    }

    fn interval(&self, pause: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(pause)
    }

    /// The library has no need to connect: it is given a stream.
    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Line>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// An encrypted stream, as the library reads and writes it.
struct Line(TlsStream<TcpStream>);

impl Line {
    async fn open(uri: &AMQPUri, tls: Arc<ClientConfig>) -> io::Result<Self> {
        let host = uri.authority.host.clone();
        let stream = TcpStream::connect((host.as_str(), uri.authority.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        TlsConnector::from(tls).connect(name, stream).await.map(Self)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for Line {
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

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

//! The socket under hyper: tells what it sees to [`Connection`], gives hyper's own answers a body, closes gently.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use crate::connection::Connection;
use crate::edge::Edge;

/// How HTTP/2 with prior knowledge begins; no method of HTTP/1.1 does.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Answers up to this size are written in one piece.
const ONE_WRITE: usize = 1024;

/// How long the answer to a head that did not come may take: it fits what the kernel holds for the client.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A TCP stream with what was read of it to tell the protocol.
pub(crate) struct Socket {
    stream: TokioIo<TcpStream>,
    connection: Arc<Connection>,
    edge: Arc<Edge>,
    /// Read already, not yet given to hyper.
    ahead: Bytes,
    /// Written already as far as hyper knows.
    pending: Bytes,
    write_closed: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>, edge: Arc<Edge>) -> Self {
        let (ahead, pending) = (Bytes::new(), Bytes::new());
        Self { stream: TokioIo::new(stream), connection, edge, ahead, pending, write_closed: false }
    }

    /// Reads until it is clear which protocol is spoken: true for HTTP/2.
    pub(crate) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let known = self.ahead.len().min(HTTP2_PREFACE.len());
            if self.ahead[..known] != HTTP2_PREFACE[..known] {
                return Poll::Ready(Ok(false));
            }
            if known == HTTP2_PREFACE.len() {
                self.connection.set_http2();
                return Poll::Ready(Ok(true));
            }
            let mut buffer = [0; 32];
            let mut read = ReadBuf::new(&mut buffer);
            ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.connection.bytes_came();
            self.ahead = [&self.ahead[..], read.filled()].concat().into();
        }
    }

    /// Says that the head of the request took too long; nothing of an answer was written before.
    pub(crate) async fn answer_head_timeout(mut self) {
        let answer = self.edge.protocol_answer(StatusCode::REQUEST_TIMEOUT);
        // The client is slow or gone: what cannot be written is not waited for.
        let stream = self.stream.inner_mut();
        let said = async { stream.write_all(&answer).await.is_ok() && stream.shutdown().await.is_ok() };
        let _ = tokio::time::timeout(LAST_WORD, said).await;
    }

    /// The status, if `head` is an answer hyper made itself to what it could not parse: it has no body, and none
    /// of the headers that the edge writes on every answer.
    fn protocol_error(head: &[u8]) -> Option<StatusCode> {
        if !head.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let ours = head.windows(13).any(|window| window.eq_ignore_ascii_case(b"x-request-id:"));
        if ours { None } else { StatusCode::from_bytes(head.get(9..12)?).ok() }
    }

    /// Replaces an answer of hyper's own.
    fn replace(&mut self, head: &[u8]) -> bool {
        // What the application writes may begin like an answer of hyper's.
        if self.connection.is_answering() || self.connection.is_http2() {
            return false;
        }
        let Some(status) = Self::protocol_error(head) else { return false };
        self.connection.linger_at_close();
        self.pending = self.edge.protocol_answer(status).into();
        true
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let pending = self.pending.clone();
            let written = ready!(hyper::rt::Write::poll_write(Pin::new(&mut self.stream), cx, &pending))?;
            self.pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn watch_writing<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.connection.set_stalled(polled.is_pending());
        if polled.is_ready() {
            self.connection.bytes_left();
        }
        polled
    }
}

impl hyper::rt::Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.connection.bytes_came();
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if self.replace(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch_writing(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        // hyper flushes once its own buffer is empty.
        self.connection.all_written();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        if !self.write_closed {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.write_closed = true;
        }
        if !self.connection.must_linger() {
            return Poll::Ready(Ok(()));
        }
        self.connection.set_lingering();
        let mut discarded = [0; 4096];
        loop {
            let mut read = ReadBuf::new(&mut discarded);
            ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        if let [first, ..] = bufs
            && self.replace(first)
        {
            return Poll::Ready(Ok(first.len()));
        }
        // The kernel takes one small piece faster than two.
        let bytes: usize = bufs.iter().map(|buf| buf.len()).sum();
        let polled = if bytes <= ONE_WRITE && bufs.len() > 1 {
            let mut joined = [0; ONE_WRITE];
            let mut length = 0;
            for buf in bufs {
                joined[length..length + buf.len()].copy_from_slice(buf);
                length += buf.len();
            }
            Pin::new(&mut self.stream).poll_write(cx, &joined[..length])
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
        };
        self.watch_writing(polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_hypers_own_are_told_from_ours() {
        for (head, status) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Some(400)),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n", Some(431)),
            ("HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1 4", None),
            ("", None),
        ] {
            let found = Socket::protocol_error(head.as_bytes());
            assert_eq!(found.map(|status| status.as_u16()), status, "{head:?}");
        }
    }
}

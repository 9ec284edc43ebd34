//! The socket below hyper: reports its activity to [`Connection`], gives hyper's own answers a body, and closes gently.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http::StatusCode;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

use crate::connection::{Connection, until_ordered};
use crate::edge_state::Edge;
use crate::stream::Stream;
use crate::wire::{Front, Wire};

/// How HTTP/2 with prior knowledge begins; no method of HTTP/1.1 does.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Answers up to this size are written in one piece.
const ONE_WRITE: usize = 1024;

/// How long the answer to a head that did not come may take: it fits what the kernel holds for the client.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How much is read at once while requests may be answered here: on the stack, so that a quiet connection holds none.
const READ_BYTES: usize = 8 * 1024;

/// Answers from memory wait for the socket beyond this size.
const OUT_MAX: usize = 64 * 1024;

/// A longer beginning of a head is hyper's to judge.
const PART_MAX: usize = 8 * 1024;

/// The capacity that the buffer for answers keeps while it is empty.
const OUT_KEPT: usize = 4 * 1024;

/// A stream with what was read of it, and what is to be written before anything else.
pub(crate) struct Socket {
    stream: TokioIo<Stream>,
    connection: Arc<Connection>,
    edge: Arc<Edge>,
    /// Answers from memory; none once hyper reads everything itself.
    wire: Option<Wire>,
    /// Read already, not yet given to hyper.
    ahead: BytesMut,
    /// How many of the bytes that come next belong to a request that hyper answers.
    owed: usize,
    /// Written already as far as hyper knows.
    out: Vec<u8>,
    /// How much of that is really written.
    out_done: usize,
    write_closed: bool,
    /// The last request was refused here: to hyper it looks as if the client had said no more.
    refused: bool,
}

impl Socket {
    pub(crate) fn new(stream: Stream, connection: Arc<Connection>, edge: Arc<Edge>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            wire: edge.hot_wire.then(Wire::default),
            connection,
            edge,
            ahead: BytesMut::new(),
            owed: 0,
            out: Vec::new(),
            out_done: 0,
            write_closed: false,
            refused: false,
        }
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
                self.wire = None;
                return Poll::Ready(Ok(true));
            }
            let mut buffer = [0; 32];
            let mut read = ReadBuf::new(&mut buffer);
            ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.connection.bytes_came();
            self.ahead.extend_from_slice(read.filled());
        }
    }

    /// Says that the head of the request took too long; nothing of an answer was written before.
    pub(crate) async fn answer_head_timeout(mut self) {
        let answer = self.edge.protocol_answer(StatusCode::REQUEST_TIMEOUT);
        // The client is slow or gone, so the server does not wait until the rest can be written.
        let stream = self.stream.inner_mut();
        let said = async { stream.write_all(&answer).await.is_ok() && stream.shutdown().await.is_ok() };
        let _ = tokio::time::timeout(LAST_WORD, said).await;
    }

    /// Says that this port speaks TLS only. The client may still be sending.
    pub(crate) async fn answer_plain_http(mut self) {
        self.out = self.edge.plain_http_answer();
        self.connection.linger_at_close();
        let connection = self.connection.clone();
        let mut socket = Pin::new(&mut self);
        let _ = until_ordered(&connection, |cx, _close| hyper::rt::Write::poll_shutdown(socket.as_mut(), cx))
            .await;
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
        // An answer of the application may begin like one of hyper's own.
        if self.connection.is_answering() || self.connection.is_http2() {
            return false;
        }
        let Some(status) = Self::protocol_error(head) else { return false };
        self.connection.linger_at_close();
        self.out = self.edge.protocol_answer(status);
        true
    }

    /// Writes what is to be written before anything else.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out_done < self.out.len() {
            let rest = &self.out[self.out_done..];
            let polled = hyper::rt::Write::poll_write(Pin::new(&mut self.stream), cx, rest);
            match ready!(self.watch_writing(polled))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.out_done += written,
            }
        }
        if !self.out.is_empty() {
            ready!(self.poll_flush_stream(cx))?;
        }
        self.out_done = 0;
        self.out.clear();
        self.out.shrink_to(OUT_KEPT);
        Poll::Ready(Ok(()))
    }

    /// Hands over what the stream itself still holds. A client that does not take it stalls the connection.
    fn poll_flush_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = hyper::rt::Write::poll_flush(Pin::new(&mut self.stream), cx);
        if self.stream.inner().holds_bytes() {
            self.connection.set_stalled(polled.is_pending());
        }
        polled
    }

    /// Whether hyper has written all its answers, so that the next answer is in turn.
    fn may_answer(&self) -> bool {
        self.owed == 0
            && self.connection.in_flight() == 0
            && !self.connection.is_answering()
            && !self.edge.draining.load(Ordering::Relaxed)
    }

    /// Answers what it can of the requests in `input`; how many bytes that were.
    fn answer_some(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        while at < input.len() && self.owed == 0 && self.out.len() < OUT_MAX {
            let may_answer = self.may_answer();
            let Some(wire) = &mut self.wire else { break };
            match wire.look(&self.edge, &self.connection, &input[at..], may_answer, &mut self.out) {
                Front::Answered(bytes) => at += bytes,
                Front::Request(bytes) => self.owed = bytes,
                Front::Part if input.len() - at < PART_MAX => break,
                Front::Part | Front::Unknown => self.wire = None,
                Front::Ambiguous => {
                    self.out.extend_from_slice(&self.edge.protocol_answer(StatusCode::BAD_REQUEST));
                    self.connection.linger_at_close();
                    (self.wire, self.refused) = (None, true);
                    return input.len();
                }
            }
        }
        at
    }

    /// Gives hyper what was read already; false when that is nothing.
    fn give(&mut self, buf: &mut hyper::rt::ReadBufCursor<'_>) -> bool {
        if self.ahead.is_empty() {
            return false;
        }
        let all = if self.wire.is_some() { self.owed } else { self.ahead.len() };
        let length = self.ahead.len().min(all).min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(length));
        self.owed -= length.min(self.owed);
        length > 0
    }

    /// Reads, answers what can be answered at once, and gives hyper the rest; false when hyper reads itself from now on.
    fn poll_answering(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<bool>> {
        loop {
            // In turn: what came first is answered first.
            ready!(self.poll_out(cx))?;
            if self.give(buf) || self.refused {
                return Poll::Ready(Ok(true));
            }
            if self.wire.is_none() {
                return Poll::Ready(Ok(false));
            }
            if !self.ahead.is_empty() && self.owed == 0 {
                let input = self.ahead.split();
                let done = self.answer_some(&input);
                self.ahead = input;
                self.ahead.advance(done);
                if done > 0 || self.owed > 0 || self.wire.is_none() {
                    continue;
                }
            }
            let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut buffer);
            ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                // The end: hyper sees what there is of a request, and then the end.
                self.wire = None;
                continue;
            }
            self.connection.bytes_came();
            let done = if self.ahead.is_empty() { self.answer_some(read.filled()) } else { 0 };
            self.ahead.extend_from_slice(&read.filled()[done..]);
        }
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
        let given = match self.wire {
            None if self.refused => true,
            Some(_) => ready!(self.poll_answering(cx, &mut buf))?,
            None => self.give(&mut buf),
        };
        if given {
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.connection.bytes_came();
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(cx))?;
        if self.replace(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch_writing(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        // hyper flushes once its own buffer is empty.
        self.connection.all_written();
        self.poll_flush_stream(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
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
        ready!(self.poll_out(cx))?;
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

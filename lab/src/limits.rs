//! The limits: the speed of the machine without Pando.

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, OpenFlags};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use crate::sample;

/// Serves these bytes to every request with nothing but hyper, and rustls if it is given; answers with its address.
pub(crate) async fn bare_hyper(body: Bytes, tls: Option<TlsAcceptor>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    pando_telemetry::spawn("lab.bare_hyper", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (body, tls) = (body.clone(), tls.clone());
            pando_telemetry::spawn("lab.bare_hyper.connection", async move {
                let answer = service_fn(move |_| {
                    let response = Response::builder()
                        .header("content-type", "application/json")
                        .body(Full::new(body.clone()))
                        .expect("a fixed answer");
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                let http = http1::Builder::new();
                let _ = match tls {
                    None => http.serve_connection(TokioIo::new(stream), answer).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => http.serve_connection(TokioIo::new(stream), answer).await,
                        Err(_gone) => return,
                    },
                };
            });
        }
    });
    Ok(format!("{scheme}://{address}"))
}

/// Rows per second of a bare rusqlite loop: one connection, one prepared statement, every column into a Rust value.
pub(crate) fn rusqlite_reads(file: &Path, profiles: usize, time: Duration) -> Result<f64> {
    let ids: Vec<Uuid> =
        (0..profiles).map(|number| Ok(sample::id(number).parse()?)).collect::<Result<_>>()?;
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = format!("select {} from profiles where id = ?1 and deleted_at is null", sample::COLUMNS);
    let mut statement = connection.prepare(&sql)?;
    let begun = Instant::now();
    let (mut at, mut rows) = (0, 0_u32);
    while begun.elapsed() < time {
        for _ in 0..64 {
            // A fixed stride visits all rows in an order that is not the file's.
            at = (at + 7919) % ids.len();
            let row = statement.query_row([ids[at].as_bytes().as_slice()], |row| {
                let texts: [String; 5] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
                let numbers: [i64; 3] = [row.get(6)?, row.get(7)?, row.get(8)?];
                Ok((row.get::<_, Vec<u8>>(0)?, texts, numbers))
            })?;
            std::hint::black_box(row);
        }
        rows += 64;
    }
    Ok(f64::from(rows) / begun.elapsed().as_secs_f64())
}

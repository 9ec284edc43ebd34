//! The limits: what the machine does when nothing of ours is in the way.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, OpenFlags};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::sample;

/// Serves these bytes to every request with nothing but hyper; answers with its address.
pub(crate) async fn bare_hyper(body: Bytes) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    pando_telemetry::spawn("lab.bare_hyper", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let body = body.clone();
            pando_telemetry::spawn("lab.bare_hyper.connection", async move {
                let answer = service_fn(move |_| {
                    let response = Response::builder()
                        .header("content-type", "application/json")
                        .body(Full::new(body.clone()))
                        .expect("a fixed answer");
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
    Ok(format!("http://{address}"))
}

/// Rows per second of a bare rusqlite loop on two threads, each with its own connection and prepared statement.
pub(crate) fn rusqlite_reads(file: &Path, profiles: usize, time: Duration) -> Result<f64> {
    let ids: Vec<Uuid> = (0..profiles).map(|number| Ok(sample::id(number).parse()?)).collect::<Result<_>>()?;
    let rows = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|thread| scope.spawn({ let (ids, rows) = (&ids, &rows); move || read_loop(file, ids, thread, time, rows) }))
            .collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader does not panic"))
    })?;
    #[expect(clippy::cast_precision_loss, reason = "a count of rows is far below 2^52")]
    Ok(rows.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

fn read_loop(file: &Path, ids: &[Uuid], thread: usize, time: Duration, rows: &AtomicU64) -> Result<()> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = format!("select {} from profiles where id = ?1 and deleted_at is null", sample::COLUMNS);
    let mut statement = connection.prepare(&sql)?;
    let end = Instant::now() + time;
    // A fixed odd stride visits all rows in an order that is not the file's.
    let mut at = thread * ids.len() / 2;
    while Instant::now() < end {
        for _ in 0..64 {
            at = (at + 7919) % ids.len();
            let length = statement.query_row([ids[at].as_bytes().as_slice()], |row| {
                // Every column is read, as the product does.
                let mut length = 0;
                for column in 0..9 {
                    length += match row.get_ref(column)? {
                        rusqlite::types::ValueRef::Text(text) | rusqlite::types::ValueRef::Blob(text) => text.to_vec().len(),
                        _ => 8,
                    };
                }
                Ok(length)
            })?;
            std::hint::black_box(length);
        }
        rows.fetch_add(64, Ordering::Relaxed);
    }
    Ok(())
}

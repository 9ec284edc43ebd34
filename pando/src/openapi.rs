//! `pando openapi`: the document as a running platform gives it out, asked of one that runs for a moment.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use pando_clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::Platform;
use crate::config::Config;

/// HTTP/1.0, so that the answer is the document and nothing around it.
const REQUEST: &[u8] = b"GET /openapi.json HTTP/1.0\r\nHost: localhost\r\n\r\n";

/// Prints the document; whatever database is configured is left alone.
pub(crate) async fn print(clock: &Clock, out: &mut dyn Write) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("pando-openapi-{}", clock.fresh_id()));
    let document = ask(&folder, clock).await;
    // Nothing worth keeping, and nothing of ours to report, if it is gone already.
    let _ = std::fs::remove_dir_all(&folder);
    writeln!(out, "{}", document?)?;
    Ok(())
}

async fn ask(folder: &Path, clock: &Clock) -> Result<String> {
    let mut config = Config { data_dir: folder.to_owned(), ..Config::default() };
    config.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.http.drain_delay_ms = 0;
    let platform = Platform::start(&config, clock).await?;
    let address = platform.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let asking = async {
        let answer = read(address).await;
        drop(stop);
        answer
    };
    let (answer, _) = tokio::join!(asking, platform.run(async { drop(stopped.await) }));
    answer
}

async fn read(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, document) = answer.split_once("\r\n\r\n").context("the platform gave no document")?;
    Ok(document.to_owned())
}

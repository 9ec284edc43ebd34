//! Uploads in parts whose callers go away, or whose time is over: what the S3 has of them is taken back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pando_objects::{ObjectName, ObjectsError, ObjectsOptions, S3Options};
use pando_resilience::Call;
use pando_servers::S3;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use crate::s3::options;
use crate::{call, opened};

const FIVE_MIB: usize = 5 * 1024 * 1024;
/// A test that waits for what never comes fails then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stands between the client and the server, and keeps one request back.
struct Between {
    endpoint: String,
    /// The request that is kept back has come.
    held: Arc<Notify>,
    /// It may go on.
    release: Arc<Notify>,
    /// The server's answer to each request that takes an upload back.
    taken_back: mpsc::UnboundedReceiver<String>,
}

impl Between {
    /// Keeps back the first request whose head contains `hold`.
    async fn start(server: &S3, hold: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = server.endpoint().trim_start_matches("http://").to_owned();
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (answers, taken_back) = mpsc::unbounded_channel();
        let gate = Gate { hold, held: Arc::clone(&held), release: Arc::clone(&release), answers };
        pando_telemetry::spawn("test.between", async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                pando_telemetry::spawn("test.connection", gate.clone().pass(client, server));
            }
        });
        Self { endpoint, held, release, taken_back }
    }

    fn options(&self, server: &S3) -> ObjectsOptions {
        let s3 = S3Options {
            endpoint: Some(self.endpoint.clone()),
            multipart_bytes_min: FIVE_MIB,
            part_bytes: FIVE_MIB,
            ..options(server)
        };
        ObjectsOptions { s3, ..ObjectsOptions::default() }
    }
}

#[derive(Clone)]
struct Gate {
    hold: &'static str,
    held: Arc<Notify>,
    release: Arc<Notify>,
    answers: mpsc::UnboundedSender<String>,
}

impl Gate {
    async fn pass(self, client: TcpStream, server: TcpStream) {
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let (asked, asks) = mpsc::unbounded_channel();
        tokio::join!(
            self.clone().requests(from_client, to_server, asked),
            self.answers(from_server, to_client, asks)
        );
    }

    /// A request begins a piece: the client waits for each answer before it goes on, and our content looks like no head.
    async fn requests(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        asked: mpsc::UnboundedSender<bool>,
    ) {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let text = String::from_utf8_lossy(&piece[..length]);
            if let Some((line, _)) = text.split_once("\r\n") {
                let _ = asked.send(line.starts_with("DELETE") && line.contains("uploadId"));
                if line.contains(self.hold) {
                    self.held.notify_one();
                    self.release.notified().await;
                }
            }
            if to.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    }

    async fn answers(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        mut asks: mpsc::UnboundedReceiver<bool>,
    ) {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let text = String::from_utf8_lossy(&piece[..length]);
            if text.starts_with("HTTP/1.1") && asks.recv().await == Some(true) {
                let _ = self.answers.send(text.lines().next().unwrap_or_default().to_owned());
            }
            // The client of an upload that was given up is gone.
            let _ = to.write_all(&piece[..length]).await;
        }
    }
}

fn picture() -> (ObjectName, Bytes) {
    let content = Bytes::from(vec![0; 2 * FIVE_MIB]);
    (ObjectName::of(&content, "png").unwrap(), content)
}

/// The server knows an upload only until it is taken back, and answers so.
async fn taken_back(mut between: Between, server: &S3, name: &ObjectName) {
    let answer = tokio::time::timeout(PATIENCE, between.taken_back.recv()).await;
    let answer = answer.expect("the upload is taken back").unwrap();
    assert!(answer.contains("204"), "{answer}");
    let direct = opened(&ObjectsOptions { s3: options(server), ..ObjectsOptions::default() });
    assert_eq!(direct.head(&call(), name).await.unwrap(), None);
}

#[tokio::test]
async fn an_upload_past_its_deadline_is_taken_back() {
    let server = S3::start();
    let between = Between::start(&server, "partNumber=2").await;
    let (name, content) = picture();
    let objects = opened(&between.options(&server));
    let hasty = Call::internal("test", Duration::from_millis(1500));
    let error = objects.put(&hasty, &name, content, "image/png").await.unwrap_err();
    assert!(matches!(error, ObjectsError::Unavailable { .. }), "{error:?}");
    taken_back(between, &server, &name).await;
}

#[tokio::test]
async fn an_upload_whose_caller_went_away_is_taken_back() {
    // Among its parts, and before the server has given the upload its name.
    for hold in ["partNumber=2", "?uploads"] {
        let server = S3::start();
        let between = Between::start(&server, hold).await;
        let (name, content) = picture();
        let objects = opened(&between.options(&server));
        let put = pando_telemetry::spawn("test.put", {
            let name = name.clone();
            async move { objects.put(&call(), &name, content, "image/png").await }
        });
        between.held.notified().await;
        put.abort();
        assert!(put.await.unwrap_err().is_cancelled());
        between.release.notify_one();
        taken_back(between, &server, &name).await;
    }
}

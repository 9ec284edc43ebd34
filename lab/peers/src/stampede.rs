//! A thousand cold reads of one key at once, and a load that takes 50 ms.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use foyer_memory::LfuConfig;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use pando_cache::{CacheOptions, Loaded};
use pando_resilience::Call;

use crate::contestants::{Ours, call, foyer, value};
use crate::report::Report;

const READS: usize = 1_000;
pub(crate) const LOAD: Duration = Duration::from_millis(50);

/// When each load began and ended.
#[derive(Clone, Default)]
pub(crate) struct Loads(Arc<Mutex<Vec<(Instant, Instant)>>>);

/// A read of one key through one of the caches, counting its loads.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    pub(crate) loads: Loads,
    read: Box<dyn Fn(Arc<[u8]>) -> BoxFuture<'static, bool> + Send + Sync>,
}

impl Loads {
    async fn load(&self) -> Bytes {
        let begun = Instant::now();
        tokio::time::sleep(LOAD).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((begun, Instant::now()));
        value()
    }

    /// Those since the last time they were taken.
    pub(crate) fn take(&self) -> Vec<(Instant, Instant)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reader {
    /// Answers whether the value came.
    pub(crate) fn read(&self, key: &Arc<[u8]>) -> BoxFuture<'static, bool> {
        (self.read)(Arc::clone(key))
    }

    pub(crate) async fn ours(name: &'static str, options: CacheOptions) -> Result<Self> {
        let (ours, loads) = (Arc::new(Ours::alone(options).await?), Loads::default());
        let (call, counted) = (call(), loads.clone());
        let read = move |key: Arc<[u8]>| {
            let (ours, call, loads) = (Arc::clone(&ours), call.clone(), counted.clone());
            async move {
                let load = async move |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, loads.load().await)));
                let found = ours.cache.get_or_load(&call, &key, None, load).await;
                found.is_ok_and(|found| found.is_some())
            }
            .boxed()
        };
        Ok(Self { name, loads, read: Box::new(read) })
    }

    pub(crate) fn moka(ttl: Duration) -> Self {
        let cache = moka::future::Cache::<Arc<[u8]>, Bytes>::builder().max_capacity(10_000);
        let (cache, loads) = (cache.time_to_live(ttl).build(), Loads::default());
        let counted = loads.clone();
        let read = move |key: Arc<[u8]>| {
            let (cache, loads) = (cache.clone(), counted.clone());
            async move { !cache.get_with(key, async move { loads.load().await }).await.is_empty() }.boxed()
        };
        Self { name: "moka", loads, read: Box::new(read) }
    }

    fn foyer() -> Self {
        let (cache, loads) = (foyer(10_000, LfuConfig::default().into()), Loads::default());
        let counted = loads.clone();
        let read = move |key: Arc<[u8]>| {
            let (cache, loads) = (cache.clone(), counted.clone());
            async move {
                let found = cache
                    .get_or_fetch(&*key, || async move { Ok::<_, Infallible>(loads.load().await) })
                    .await;
                found.is_ok_and(|found| !found.value().is_empty())
            }
            .boxed()
        };
        Self { name: "foyer", loads, read: Box::new(read) }
    }
}

pub(crate) async fn run(rounds: usize, report: &mut Report) -> Result<()> {
    let readers = [
        Arc::new(Reader::ours("ours", CacheOptions::default()).await?),
        Arc::new(Reader::moka(Duration::from_secs(3_600))),
        Arc::new(Reader::foyer()),
    ];
    let mut rates = [const { Vec::new() }; 3];
    let mut most_loads = 0;
    for round in 0..rounds {
        for (reader, rates) in readers.iter().zip(&mut rates) {
            let key: Arc<[u8]> = format!("cold:{round}").into_bytes().into();
            let p99 = cold(reader, &key).await?;
            let loads = reader.loads.take().len();
            anyhow::ensure!(loads > 0, "{} did not load", reader.name);
            if reader.name == "ours" {
                most_loads = most_loads.max(loads);
            }
            rates.push(crate::count(READS) / p99);
        }
    }
    report.figure("loads for 1000 cold reads of one key, at most", crate::count(most_loads), "", Some(1.0));
    let p99 = crate::count(READS) / crate::report::median(&rates[0]) * 1e3;
    report.figure("1000 cold reads of one key, a load of 50 ms: p99", p99, "ms", None);
    for (reader, peer) in readers.iter().zip(&rates).skip(1) {
        let text = format!("1000 cold reads of one key, reads by the p99: ours / {}", reader.name);
        report.compare(crate::name(text), &rates[0], peer, "reads/s", None);
    }
    Ok(())
}

/// The 99th percentile of the time from before the first read, in seconds.
async fn cold(reader: &Arc<Reader>, key: &Arc<[u8]>) -> Result<f64> {
    let begun = Instant::now();
    let reads = (0..READS).map(|_| {
        let read = reader.read(key);
        pando_telemetry::spawn("peers.read", async move { read.await.then(|| begun.elapsed()) })
    });
    let mut took = Vec::with_capacity(READS);
    for read in join_all(reads.collect::<Vec<_>>()).await {
        took.push(read?.ok_or_else(|| anyhow::anyhow!("{} answered nothing", reader.name))?.as_secs_f64());
    }
    Ok(crate::percentile(took, 99))
}

//! The cost of a hit in this process: every key is there, and every look-up takes the value out.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use dashmap::DashMap;
use foyer_memory::{EvictionConfig, LruConfig, S3FifoConfig};
use pando_cache::{Loaded, Policy};
use pando_resilience::Call;
use tokio::runtime::{Handle, Runtime};

use crate::contestants::{Foyer, Ours, bounded, call, foyer, key, value};
use crate::report::Report;
use crate::trace::Zipf;

const KEYS: u32 = 10_000;
/// Look-ups of one measurement and thread.
const LOOKUPS: usize = 100_000;
/// Measurements of a round, each contestant in turn; its fastest counts, for nothing makes a look-up too fast.
const PASSES: usize = 15;
/// More than there are keys: nothing has to leave, in whichever shard.
const ROOM: usize = 40_000;

const MAP: &str = "dashmap";
const OUR_PEEK: &str = "peek";
const OUR_READ: &str = "get_or_load";

/// One contestant: look-ups per second on so many threads.
struct Contestant {
    name: &'static str,
    run: Box<dyn Fn(usize) -> Result<f64>>,
    /// By threads, one or two, and then by rounds.
    rates: [Vec<f64>; 2],
}

/// The keys that all contestants look up, in order.
#[derive(Clone)]
struct Order {
    keys: &'static [Vec<u8>],
    places: &'static [u32],
}

pub(crate) fn run(rounds: usize, report: &mut Report) -> Result<()> {
    let runtime = Runtime::new()?;
    let mut contestants = contestants(&runtime)?;
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        contestants.iter_mut().for_each(|it| it.rates.iter_mut().for_each(|rates| rates.push(0.0)));
        for _ in 0..PASSES {
            for contestant in &mut contestants {
                contestant.pass()?;
            }
            // Forth and back, so that none always follows the same one.
            contestants.reverse();
        }
    }
    let rates = |name: &str, threads: usize| {
        let found = contestants.iter().find(|it| it.name == name);
        found.map(|it| it.rates[threads - 1].as_slice()).with_context(|| format!("{name} did not run"))
    };
    for threads in [1, 2] {
        let on = if threads == 1 { "1 thread" } else { "2 threads" };
        for (ours, peers) in [
            (OUR_PEEK, &[MAP, "quick_cache", "moka get", "foyer get"][..]),
            ("peek, lru", &[MAP, "foyer get, lru"]),
            ("peek, fifo", &[MAP]),
            (OUR_READ, &[MAP, "moka get_with", "foyer get_or_fetch"]),
        ] {
            for peer in peers {
                let text = format!("L1 hit, {on}: {ours} / {peer}");
                let goal = (threads == 2 && ours == OUR_PEEK && *peer == MAP).then_some(0.5);
                report.compare(
                    crate::name(text),
                    rates(ours, threads)?,
                    rates(peer, threads)?,
                    "look-ups/s",
                    goal,
                );
            }
        }
    }
    Ok(())
}

impl Contestant {
    fn pass(&mut self) -> Result<()> {
        for (threads, rates) in [1, 2].into_iter().zip(&mut self.rates) {
            let rate = (self.run)(threads)?;
            if let Some(best) = rates.last_mut() {
                *best = best.max(rate);
            }
        }
        Ok(())
    }
}

fn contestants(runtime: &Runtime) -> Result<Vec<Contestant>> {
    let keys: Vec<Vec<u8>> = (0..KEYS).map(key).collect();
    let places = Zipf::new(KEYS, 1).take(LOOKUPS)?;
    let order = Order { keys: keys.leak(), places: places.leak() };
    let mut all = plain(&order);
    all.extend(moka(runtime.handle(), &order));
    all.extend(foyers(runtime.handle(), &order));
    for (policy, name) in
        [(Policy::S3Fifo, OUR_PEEK), (Policy::Lru, "peek, lru"), (Policy::Fifo, "peek, fifo")]
    {
        let ours = runtime.block_on(Ours::alone(bounded(policy, ROOM)))?;
        runtime.block_on(async {
            for key in order.keys {
                ours.read(&call(), key, &value()).await?;
            }
            anyhow::Ok(())
        })?;
        all.extend(ours_filled(runtime.handle(), &order, ours, name, policy == Policy::S3Fifo));
    }
    Ok(all)
}

fn ours_filled(
    handle: &Handle,
    order: &Order,
    ours: Ours,
    name: &'static str,
    both: bool,
) -> Vec<Contestant> {
    let cache = ours.cache.clone();
    let at = order.clone();
    let mut all = vec![contestant(name, move |threads| {
        at.rate(threads, &|key| cache.peek(key, None).is_some_and(|found| is_it(found.bytes())))
    })];
    if both {
        let (at, handle) = (order.clone(), handle.clone());
        all.push(contestant(OUR_READ, move |threads| {
            at.async_rate(threads, &handle, &async |call: &Call, key: &[u8]| {
                let load = async |_: Call| Ok::<_, Infallible>(Some(Loaded::new(1, "")));
                let found = ours.cache.get_or_load(call, key, None, load).await;
                found.is_ok_and(|found| found.is_some_and(|found| is_it(found.bytes())))
            })
        }));
    }
    all
}

/// The limit, and what our default policy is built on.
fn plain(order: &Order) -> Vec<Contestant> {
    let map: DashMap<Vec<u8>, Bytes> = order.keys.iter().map(|key| (key.clone(), value())).collect();
    let quick = quick_cache::sync::Cache::<Vec<u8>, Bytes>::new(ROOM);
    for key in order.keys {
        quick.insert(key.clone(), value());
    }
    let (at, same) = (order.clone(), order.clone());
    vec![
        contestant(MAP, move |threads| {
            at.rate(threads, &|key| map.get(key).is_some_and(|found| is_it(&found.value().clone())))
        }),
        contestant("quick_cache", move |threads| {
            same.rate(threads, &|key| quick.get(key).is_some_and(|found| is_it(&found)))
        }),
    ]
}

fn moka(handle: &Handle, order: &Order) -> Vec<Contestant> {
    let here = moka::sync::Cache::<Vec<u8>, Bytes>::new(ROOM as u64);
    let through = moka::future::Cache::<Vec<u8>, Bytes>::new(ROOM as u64);
    for key in order.keys {
        here.insert(key.clone(), value());
        handle.block_on(through.insert(key.clone(), value()));
    }
    let (at, same, handle) = (order.clone(), order.clone(), handle.clone());
    vec![
        contestant("moka get", move |threads| {
            at.rate(threads, &|key| here.get(key).is_some_and(|found| is_it(&found)))
        }),
        contestant("moka get_with", move |threads| {
            same.async_rate(threads, &handle, &async |_: &Call, key: &[u8]| {
                is_it(&through.get_with_by_ref(key, async { Bytes::new() }).await)
            })
        }),
    ]
}

fn foyers(handle: &Handle, order: &Order) -> Vec<Contestant> {
    let filled = |policy: EvictionConfig| -> Foyer {
        let cache = foyer(ROOM, policy);
        for key in order.keys {
            cache.insert(key.clone(), value());
        }
        cache
    };
    let get = |name, cache: Foyer| {
        let at = order.clone();
        contestant(name, move |threads| {
            at.rate(threads, &|key| cache.get(key).is_some_and(|found| is_it(&found.value().clone())))
        })
    };
    let (at, handle) = (order.clone(), handle.clone());
    let through = filled(S3FifoConfig::default().into());
    vec![
        get("foyer get", filled(S3FifoConfig::default().into())),
        get("foyer get, lru", filled(LruConfig::default().into())),
        contestant("foyer get_or_fetch", move |threads| {
            at.async_rate(threads, &handle, &async |_: &Call, key: &[u8]| {
                let found = through.get_or_fetch(key, || async { Ok::<_, Infallible>(Bytes::new()) }).await;
                found.is_ok_and(|found| is_it(&found.value().clone()))
            })
        }),
    ]
}

fn contestant(name: &'static str, run: impl Fn(usize) -> Result<f64> + 'static) -> Contestant {
    Contestant { name, run: Box::new(run), rates: Default::default() }
}

fn is_it(found: &Bytes) -> bool {
    !black_box(found).is_empty()
}

impl Order {
    /// Look-ups per second of all threads together.
    fn rate(&self, threads: usize, look_up: &(impl Fn(&[u8]) -> bool + Sync)) -> Result<f64> {
        timed(threads, &|first| self.from(first).filter(|key| look_up(key)).count())
    }

    /// The same for look-ups that might wait.
    fn async_rate(
        &self,
        threads: usize,
        handle: &Handle,
        look_up: &(impl AsyncFn(&Call, &[u8]) -> bool + Sync),
    ) -> Result<f64> {
        timed(threads, &|first| {
            handle.block_on(async {
                let (call, mut found) = (call(), 0);
                for key in self.from(first) {
                    found += usize::from(look_up(&call, key).await);
                }
                found
            })
        })
    }

    /// Every look-up once, from a place of the thread's own on.
    fn from(&self, thread: usize) -> impl Iterator<Item = &'static [u8]> + use<> {
        let (first, second) = self.places.split_at(thread * self.places.len() / 2);
        let keys = self.keys;
        second.iter().chain(first).filter_map(move |place| keys.get(*place as usize).map(Vec::as_slice))
    }
}

fn timed(threads: usize, work: &(impl Fn(usize) -> usize + Sync)) -> Result<f64> {
    let started = Instant::now();
    let found: usize = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().map(|it| it.join().unwrap_or(0)).sum()
    });
    let rate = crate::count(found) / started.elapsed().as_secs_f64();
    ensure!(found == threads * LOOKUPS, "{found} of {} look-ups were hits", threads * LOOKUPS);
    Ok(rate)
}

//! Named tasks, counted while they live: a leak shows as a gauge that never goes down.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{PoisonError, RwLock};

use tokio::task::JoinHandle;

use crate::metrics::{header, sample, write_labels};
use crate::series::Gauge;

// The one static of the crate: tasks belong to the process, whichever platform in it started them.
static LIVE: RwLock<BTreeMap<&'static str, Gauge>> = RwLock::new(BTreeMap::new());

/// Starts a task and counts it under `name` in `tasks_live{task}` until it ends, panics or is aborted.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let live = Live::enter(name);
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks")]
    tokio::spawn(async move {
        let _live = live;
        future.await
    })
}

/// How many tasks of this name live now.
pub fn live_tasks(name: &str) -> i64 {
    LIVE.read().unwrap_or_else(PoisonError::into_inner).get(name).map_or(0, Gauge::get)
}

pub(crate) fn write(text: &mut String) {
    let live = LIVE.read().unwrap_or_else(PoisonError::into_inner);
    if live.is_empty() {
        return;
    }
    header(text, "tasks_live", "Asynchronous tasks alive in this process.", "gauge");
    for (name, gauge) in live.iter() {
        sample(text, "tasks_live", &write_labels(&[("task", name)]), gauge.get());
    }
}

struct Live(Gauge);

impl Live {
    fn enter(name: &'static str) -> Self {
        let known = LIVE.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let gauge = known.unwrap_or_else(|| {
            LIVE.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
        });
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.dec();
    }
}

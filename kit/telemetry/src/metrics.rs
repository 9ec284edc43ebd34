//! The registry: names, help texts and labels, resolved to handles once at the start.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::series::{Counter, Gauge, Histogram};

/// Bounds for times in seconds, from 50 µs to 10 s; 20 ms is one of them, because alerts ask for it.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.00005, 0.0001, 0.00015, 0.00025, 0.0004, 0.0006, 0.001, 0.0015, 0.0025, 0.004, 0.006, 0.01, 0.015,
    0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0,
];

/// How many series a family may have. A label that has no bound ends in one series that says `overflow`.
pub const SERIES_MAX: usize = 10_000;

/// A registry of metrics. Cloning shares it; nothing is global, so two platforms in one process do not mix.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Registry>);

#[derive(Default)]
struct Registry {
    families: Mutex<BTreeMap<String, Family>>,
    refreshers: Mutex<Vec<Refresher>>,
}

type Refresher = Arc<dyn Fn() + Send + Sync>;

#[derive(Debug)]
struct Family {
    help: String,
    kind: &'static str,
    /// By the labels as they are written, so that the same labels are the same series.
    series: BTreeMap<String, Series>,
}

#[derive(Clone, Debug)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Metrics {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name and these labels, made if it is new. The written name ends in `_total` exactly
    /// once, whether `name` does or not.
    ///
    /// # Panics
    /// On a name or a label that Prometheus cannot read, or a name already taken by another kind of metric: both
    /// are mistakes in the program, seen at its first start.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&'static str, &str)]) -> Counter {
        let name = format!("{}_total", name.strip_suffix("_total").unwrap_or(name));
        match self.series(&name, help, labels, Series::Counter(Counter::default())) {
            Series::Counter(counter) => counter,
            other => panic!("{name} is already a {}", other.kind()),
        }
    }

    /// The gauge of this name and these labels, made if it is new.
    ///
    /// # Panics
    /// As [`Metrics::counter`].
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&'static str, &str)]) -> Gauge {
        match self.series(name, help, labels, Series::Gauge(Gauge::default())) {
            Series::Gauge(gauge) => gauge,
            other => panic!("{name} is already a {}", other.kind()),
        }
    }

    /// The histogram of this name and these labels, made if it is new. `buckets` are upper bounds, rising.
    ///
    /// # Panics
    /// As [`Metrics::counter`], and when the buckets do not rise or differ from those of the same series.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[(&'static str, &str)],
        buckets: &'static [f64],
    ) -> Histogram {
        assert!(buckets.windows(2).all(|pair| pair[0] < pair[1]), "{name}: buckets must rise");
        assert!(buckets.iter().all(|bound| bound.is_finite()), "{name}: the infinite bucket is implied");
        match self.series(name, help, labels, Series::Histogram(Histogram::new(buckets))) {
            Series::Histogram(histogram) => {
                assert_eq!(histogram.bounds(), buckets, "{name}: one series, two sets of buckets");
                histogram
            }
            other => panic!("{name} is already a {}", other.kind()),
        }
    }

    /// Calls `refresh` before each rendering: for gauges that are cheaper to ask for than to keep up.
    pub fn on_scrape(&self, refresh: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.refreshers).push(Arc::new(refresh));
    }

    /// Everything in the Prometheus text format, the process and its live tasks included.
    pub fn render(&self) -> String {
        // Copied out of the lock: a refresher may itself ask for a new gauge.
        let refreshers = lock(&self.0.refreshers).clone();
        for refresh in refreshers {
            refresh();
        }
        let mut text = String::with_capacity(16 * 1024);
        for (name, family) in lock(&self.0.families).iter() {
            header(&mut text, name, &family.help, family.kind);
            for (labels, series) in &family.series {
                series.write(&mut text, name, labels);
            }
        }
        crate::tasks::write(&mut text);
        crate::process::write(&mut text);
        text
    }

    /// The sum of the counters of this name; `counts` looks at the labels of each as they are written (`key="value",…`).
    pub fn counted(&self, name: &str, counts: impl Fn(&str) -> bool) -> u64 {
        let families = lock(&self.0.families);
        let series = families.get(name).into_iter().flat_map(|family| &family.series);
        series
            .map(|(labels, series)| match series {
                Series::Counter(counter) if counts(labels) => counter.get(),
                _ => 0,
            })
            .sum()
    }

    /// The sum of the gauges of this name.
    pub fn level(&self, name: &str) -> i64 {
        let families = lock(&self.0.families);
        let series = families.get(name).into_iter().flat_map(|family| family.series.values());
        series.map(|series| if let Series::Gauge(gauge) = series { gauge.get() } else { 0 }).sum()
    }

    /// The histograms of this name together: for each bound the observations at or below it. All have the same bounds.
    pub fn observed(&self, name: &str, counts: impl Fn(&str) -> bool) -> Vec<(f64, u64)> {
        let families = lock(&self.0.families);
        let mut together: Vec<(f64, u64)> = Vec::new();
        for (labels, series) in families.get(name).into_iter().flat_map(|family| &family.series) {
            let Series::Histogram(histogram) = series else { continue };
            if !counts(labels) {
                continue;
            }
            let one = histogram.cumulated();
            if together.is_empty() {
                together = one;
                continue;
            }
            together.iter_mut().zip(one).for_each(|(sum, (_, count))| sum.1 += count);
        }
        together
    }

    fn series(&self, name: &str, help: &str, labels: &[(&'static str, &str)], fresh: Series) -> Series {
        assert!(is_name(name), "{name:?} is no metric name");
        let written = write_labels(labels);
        let mut families = lock(&self.0.families);
        let family = families.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind: fresh.kind(),
            series: BTreeMap::new(),
        });
        assert_eq!(family.kind, fresh.kind(), "{name} is taken by another kind of metric");
        let full = family.series.len() >= SERIES_MAX && !family.series.contains_key(&written);
        let overflow = || labels.iter().map(|(key, _)| (*key, "overflow")).collect::<Vec<_>>();
        match family.series.entry(if full { write_labels(&overflow()) } else { written }) {
            Entry::Occupied(series) => series.get().clone(),
            Entry::Vacant(place) => place.insert(fresh).clone(),
        }
    }
}

impl Series {
    fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    fn write(&self, text: &mut String, name: &str, labels: &str) {
        match self {
            Self::Counter(counter) => sample(text, name, labels, counter.get()),
            Self::Gauge(gauge) => sample(text, name, labels, gauge.get()),
            Self::Histogram(histogram) => {
                let buckets = histogram.cumulated();
                let bucket = format!("{name}_bucket");
                let comma = if labels.is_empty() { "" } else { "," };
                for (bound, count) in &buckets {
                    let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
                    sample(text, &bucket, &format!("{labels}{comma}le=\"{bound}\""), count);
                }
                sample(text, &format!("{name}_sum"), labels, histogram.sum());
                let count = buckets.last().map_or(0, |(_, count)| *count);
                sample(text, &format!("{name}_count"), labels, count);
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("families", &self.families).finish_non_exhaustive()
    }
}

/// The two comment lines that open a family.
pub(crate) fn header(text: &mut String, name: &str, help: &str, kind: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    // Writing into a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// One line: a name, its labels as [`write_labels`] made them, a value.
pub(crate) fn sample(text: &mut String, name: &str, labels: &str, value: impl fmt::Display) {
    let _ = if labels.is_empty() {
        writeln!(text, "{name} {value}")
    } else {
        writeln!(text, "{name}{{{labels}}} {value}")
    };
}

/// `key="value",…`, sorted by key: the order in which a caller names the labels makes no other series.
pub(crate) fn write_labels(labels: &[(&'static str, &str)]) -> String {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    let mut text = String::new();
    for (index, (key, value)) in sorted.iter().enumerate() {
        assert!(is_name(key) && !key.contains(':') && *key != "le", "{key:?} is no label name");
        assert!(index == 0 || sorted[index - 1].0 != *key, "the label {key} is given twice");
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{key}=\"{value}\"");
    }
    text
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

/// A panic elsewhere leaves counts that are still true: the lock is taken all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

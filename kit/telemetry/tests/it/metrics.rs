//! Metrics: what goes in comes out, once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pando_telemetry::{LATENCY_BUCKETS, Metrics, SERIES_MAX};

use crate::exposition::read;

#[test]
fn the_same_name_and_labels_are_the_same_series() {
    let metrics = Metrics::new();
    metrics.counter("orders", "Orders.", &[("channel", "shop"), ("kind", "new")]).inc();
    metrics.clone().counter("orders_total", "Orders.", &[("kind", "new"), ("channel", "shop")]).inc_by(2);
    metrics.counter("orders", "Orders.", &[("kind", "old"), ("channel", "shop")]).inc();
    let samples = read(&metrics.render()).unwrap();
    assert_eq!(samples[r#"orders_total{channel="shop",kind="new"}"#], 3.0);
    assert_eq!(samples[r#"orders_total{channel="shop",kind="old"}"#], 1.0);
}

#[test]
fn two_registries_do_not_mix() {
    let (one, two) = (Metrics::new(), Metrics::new());
    one.gauge("depth", "Depth.", &[]).set(-7);
    two.gauge("depth", "Depth.", &[]).inc();
    assert_eq!(read(&one.render()).unwrap()["depth"], -7.0);
    assert_eq!(read(&two.render()).unwrap()["depth"], 1.0);
}

#[test]
fn a_histogram_counts_every_observation_into_the_right_bucket() {
    let metrics = Metrics::new();
    let waits = metrics.histogram("wait_seconds", "Waits.", &[("pool", "main")], LATENCY_BUCKETS);
    waits.observe_duration(Duration::from_micros(50));
    waits.observe(0.020);
    waits.observe(0.0201);
    waits.observe(60.0);
    waits.observe(f64::NAN);
    let samples = read(&metrics.render()).unwrap();
    let bucket = |le: &str| samples[&format!("wait_seconds_bucket{{pool=\"main\",le=\"{le}\"}}")];
    assert_eq!((bucket("0.00005"), bucket("0.015"), bucket("0.02"), bucket("0.03")), (1.0, 1.0, 2.0, 3.0));
    assert_eq!((bucket("10"), bucket("+Inf")), (3.0, 4.0));
    assert_eq!(samples[r#"wait_seconds_count{pool="main"}"#], 4.0);
    assert!((samples[r#"wait_seconds_sum{pool="main"}"#] - 60.04015).abs() < 1e-9);
}

#[test]
fn nothing_is_lost_between_threads() {
    let metrics = Metrics::new();
    let histogram = metrics.histogram("size", "Sizes.", &[], &[1.0, 10.0]);
    let counter = metrics.counter("seen", "Seen.", &[]);
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..10_000 {
                    histogram.observe(2.0);
                    counter.inc();
                }
            });
        }
    });
    assert_eq!((histogram.count(), counter.get()), (40_000, 40_000));
    assert!((histogram.sum() - 80_000.0).abs() < 1e-6);
}

#[test]
fn labels_and_help_are_escaped() {
    let metrics = Metrics::new();
    metrics.gauge("odd", "Two\nlines and a \\.", &[("path", "a\"b\\c\nd},e=\"f")]).set(1);
    let text = metrics.render();
    read(&text).unwrap();
    assert!(text.contains(r"# HELP odd Two\nlines and a \\."), "{text}");
    assert!(text.contains(r#"odd{path="a\"b\\c\nd},e=\"f"} 1"#), "{text}");
}

#[test]
fn a_label_without_a_bound_ends_in_one_series() {
    let metrics = Metrics::new();
    for number in 0..SERIES_MAX + 50 {
        metrics.counter("hits", "Hits.", &[("path", &number.to_string())]).inc();
    }
    let samples = read(&metrics.render()).unwrap();
    assert_eq!(samples.keys().filter(|key| key.starts_with("hits")).count(), SERIES_MAX + 1);
    assert_eq!(samples[r#"hits_total{path="overflow"}"#], 50.0);
    assert_eq!(samples[r#"hits_total{path="7"}"#], 1.0);
}

#[test]
fn as_many_series_as_a_large_service_has_stay_apart() {
    // Three hundred routes, five methods, four statuses.
    let metrics = Metrics::new();
    for route in 0..300 {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            for status in ["200", "404", "422", "500"] {
                let labels = [("route", &*format!("/{route}")), ("method", method), ("status", status)];
                metrics.counter("requests", "Requests.", &labels).inc();
            }
        }
    }
    let samples = read(&metrics.render()).unwrap();
    let requests = samples.keys().filter(|key| key.starts_with("requests"));
    assert_eq!(requests.clone().count(), 6_000);
    assert!(!requests.clone().any(|key| key.contains("overflow")));
}

#[test]
fn refreshers_run_before_each_scrape_and_may_ask_for_metrics() {
    let metrics = Metrics::new();
    let (asked, inner) = (Arc::new(AtomicI64::new(0)), metrics.clone());
    metrics.on_scrape(move || {
        inner.gauge("asked", "Scrapes.", &[]).set(asked.fetch_add(1, Ordering::SeqCst) + 1);
    });
    assert_eq!(read(&metrics.render()).unwrap()["asked"], 1.0);
    assert_eq!(read(&metrics.render()).unwrap()["asked"], 2.0);
}

#[test]
fn the_process_describes_itself() {
    let samples = read(&Metrics::new().render()).unwrap();
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_threads"] {
        assert!(samples[name] >= 1.0, "{name}");
    }
    assert!(samples["process_cpu_seconds_total"] >= 0.0);
    let year_2020 = 1_577_836_800.0;
    assert!(samples["process_start_time_seconds"] > year_2020);
}

#[test]
#[should_panic(expected = "taken by another kind")]
fn one_name_is_one_kind() {
    let metrics = Metrics::new();
    metrics.gauge("depth", "Depth.", &[]);
    metrics.histogram("depth", "Depth.", &[], LATENCY_BUCKETS);
}

//! The cost of one increment and one observation, alone and with a second thread on the same series.
//!
//! Run it with `cargo run --release -p pando-telemetry --example increment_cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use pando_telemetry::{LATENCY_BUCKETS, Metrics};

const ROUNDS: u32 = 10_000_000;

fn main() {
    let metrics = Metrics::new();
    let counter = metrics.counter("requests", "Requests.", &[("route", "/")]);
    let histogram = metrics.histogram("request_duration_seconds", "Times.", &[], LATENCY_BUCKETS);
    for threads in [1, 2] {
        report("counter increment", threads, |_| black_box(&counter).inc());
        report("histogram observation", threads, |round| {
            let micros = black_box(round % 4_096);
            black_box(&histogram).observe_duration(Duration::from_micros(u64::from(micros)));
        });
    }
}

#[expect(clippy::print_stdout, reason = "an example speaks to a person")]
fn report(what: &str, threads: u32, work: impl Fn(u32) + Sync) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..ROUNDS).for_each(&work));
        }
    });
    let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS);
    println!("{what:22} {threads} thread(s): {each:6.1} ns each");
}

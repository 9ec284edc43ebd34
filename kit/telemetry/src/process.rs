//! Metrics of this process from the kernel, read from `/proc/self` at each scrape; none if there is no `/proc`.

use std::fs;

use crate::metrics::{header, sample};

/// `USER_HZ`: what the kernel shows to programs, 100 on every architecture Linux runs on here.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) fn write(text: &mut String) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let bytes = |key| field(&status, key).map(|kib| kib * 1_024);
        gauge(text, "process_resident_memory_bytes", "Memory held in RAM.", bytes("VmRSS:"));
        gauge(text, "process_virtual_memory_bytes", "Address space.", bytes("VmSize:"));
        gauge(text, "process_threads", "Threads of the operating system.", field(&status, "Threads:"));
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        write_times(text, &stat);
    }
    let open = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    // The listing itself holds one descriptor while it counts.
    gauge(text, "process_open_fds", "Open file descriptors.", open.map(|count| count.saturating_sub(1)));
    if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
        gauge(text, "process_max_fds", "Most file descriptors allowed.", field(&limits, "Max open files"));
    }
}

/// The bytes of memory that this process holds now; none if the system does not say.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:").map(|kib| kib * 1_024)
}

fn write_times(text: &mut String, stat: &str) {
    // The second field is the program's name in parentheses and may hold anything: count from behind it.
    let Some((_, rest)) = stat.rsplit_once(')') else { return };
    let ticks: Vec<Option<f64>> = rest.split_whitespace().map(|field| field.parse().ok()).collect();
    let tick = |index: usize| ticks.get(index).copied().flatten();
    if let (Some(user), Some(system)) = (tick(11), tick(12)) {
        let name = "process_cpu_seconds_total";
        header(text, name, "Processor time used, in user and system mode.", "counter");
        sample(text, name, "", (user + system) / TICKS_PER_SECOND);
    }
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|stat| field(&stat, "btime"));
    if let (Some(boot), Some(since_boot)) = (boot, tick(19)) {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
        let started = boot as f64 + since_boot / TICKS_PER_SECOND;
        gauge(text, "process_start_time_seconds", "When the process started, since 1970.", Some(started));
    }
}

fn gauge<T: std::fmt::Display>(text: &mut String, name: &str, help: &str, value: Option<T>) {
    if let Some(value) = value {
        header(text, name, help, "gauge");
        sample(text, name, "", value);
    }
}

/// The first number behind `key` at the start of a line.
fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

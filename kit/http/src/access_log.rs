//! The access log: one line for a request, with a sample of the many successful reads.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::AccessLogOptions;
use crate::credential_text::without_credentials;
use crate::routes::MethodIndex;

/// Decides which requests are logged and writes their lines under the target `access`.
pub(crate) struct AccessLog {
    options: AccessLogOptions,
    slow: Duration,
    started: Instant,
    /// The second (upper half) and how many reads it saw (lower half).
    seen: AtomicU64,
}

/// The content of one line.
pub(crate) struct Line<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) method: MethodIndex,
    /// Whether the request changes nothing.
    pub(crate) reads: bool,
    pub(crate) template: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: StatusCode,
    /// When the answer was ready.
    pub(crate) now: Instant,
    pub(crate) took: Duration,
    /// None for streamed answers.
    pub(crate) bytes: Option<u64>,
    pub(crate) client: IpAddr,
}

impl AccessLog {
    pub(crate) fn new(options: &AccessLogOptions) -> Self {
        Self {
            options: options.clone(),
            slow: Duration::from_millis(options.slow_ms),
            started: Instant::now(),
            seen: AtomicU64::new(0),
        }
    }

    /// Writes the line, or not; `cache` tells what the cache had to do with the answer.
    pub(crate) fn write<'a>(&self, line: &Line<'_>, cache: impl FnOnce() -> Option<&'a str>) {
        let status = line.status.as_u16();
        // Clients that ask for missing things could fill the log.
        let ordinary = line.reads && (status < 400 || status == 404) && line.took < self.slow;
        let second = || line.now.saturating_duration_since(self.started).as_secs();
        // Most reads are not logged: whether the log is on at all is asked after that, it costs more.
        if (ordinary && !self.sampled(second())) || !tracing::enabled!(target: "access", tracing::Level::INFO)
        {
            return;
        }
        tracing::info!(
            target: "access",
            { request.id = line.request_id,
            http.method = line.method.name(),
            http.route = line.template,
            http.path = &*shown(line.path),
            http.status = status,
            ms = line.took.as_secs_f64() * 1_000.0,
            bytes = line.bytes,
            client = %line.client,
            cache = cache() },
            "request"
        );
    }

    /// Whether the next ordinary read of this second is logged.
    fn sampled(&self, second: u64) -> bool {
        let second = second & 0xffff_ffff;
        let seen = self.seen.load(Ordering::Relaxed);
        let count = if seen >> 32 == second {
            self.seen.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff
        } else {
            // Two threads may both start the second: one line more or less is no harm.
            self.seen.store(second << 32 | 1, Ordering::Relaxed);
            0
        };
        let (first, one_in) = (self.options.reads_per_second, self.options.sample_one_in);
        count < first || (one_in > 0 && (count - first).is_multiple_of(one_in))
    }
}

/// A path as it may be kept: not endless, without credentials, and without e-mail addresses, which stand for people.
fn shown(path: &str) -> Cow<'_, str> {
    const SHOWN_MAX: usize = 256;
    let is_address = |part: &str| part.contains('@') || part.to_ascii_lowercase().contains("%40");
    let path = without_credentials(path);
    if path.len() <= SHOWN_MAX && !is_address(&path) {
        return path;
    }
    let parts = path.split('/').map(|part| if is_address(part) { "***" } else { part });
    let mut shown = parts.collect::<Vec<_>>().join("/");
    if shown.len() > SHOWN_MAX {
        shown.truncate(shown.floor_char_boundary(SHOWN_MAX));
        shown.push('…');
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_short_and_names_no_person() {
        assert_eq!(shown("/api/v1/profiles/7"), "/api/v1/profiles/7");
        assert_eq!(shown("/api/v1/profiles/ada@example.org/full"), "/api/v1/profiles/***/full");
        assert_eq!(shown("/api/v1/profiles/ada%40example.org"), "/api/v1/profiles/***");
        let long = shown(&format!("/{}", "é".repeat(4_000))).into_owned();
        assert!(long.len() < 300 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn reads_are_sampled_past_the_first_of_each_second() {
        let options =
            AccessLogOptions { reads_per_second: 10, sample_one_in: 100, ..AccessLogOptions::default() };
        let log = AccessLog::new(&options);
        for second in 0..3 {
            let logged = (0..1_010).filter(|_| log.sampled(second)).count();
            assert_eq!(logged, 20, "10 and then every hundredth of 1000");
        }
        let none = AccessLog::new(&AccessLogOptions { reads_per_second: 0, sample_one_in: 0, ..options });
        assert!(!(0..100).any(|_| none.sampled(0)));
    }
}

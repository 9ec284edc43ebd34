//! Live figures of this process, as server-sent events: one a second for as long as somebody looks.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream::unfold;
use pando_http::{Code, Problem, QueryString};
use pando_service::http::{ServerEvent, event_stream};
use pando_telemetry::Metrics;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How often figures are sent.
const PERIOD: Duration = Duration::from_secs(1);
/// How many pages may look at once.
const STREAMS_MAX: usize = 32;
/// After so many figures a stream ends, and a browser connects again: a session that has ended sees no more.
const FIGURES_MAX: i64 = 600;

/// The source of the figures. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Live {
    metrics: Metrics,
    places: Arc<Semaphore>,
    ending: Arc<watch::Sender<bool>>,
}

/// Counts since the start of the process. Requests to the console itself and to the server's own paths are left out.
#[derive(Serialize, ToSchema)]
struct LiveFigures {
    /// Milliseconds since the stream began.
    ms: u64,
    /// Requests that were answered.
    requests: u64,
    /// Those of them that were answered with 5xx.
    failures: u64,
    /// Pairs of a time in seconds and the number of requests that took no longer; the last time is null and stands for all.
    latency: Vec<(f64, u64)>,
    /// Look-ups that a cache answered.
    cache_hits: u64,
    /// Look-ups that no cache could answer.
    cache_misses: u64,
    /// Requests that are being answered.
    active: i64,
    /// Open connections.
    connections: i64,
    /// Bytes of memory that the process holds.
    memory_bytes: Option<u64>,
}

/// One stream.
struct Stream {
    live: Live,
    began: Instant,
    /// How many figures it still sends.
    left: i64,
    sent: u64,
    tick: Interval,
    ending: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Live {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: metrics.clone(),
            places: Arc::new(Semaphore::new(STREAMS_MAX)),
            ending: Arc::new(watch::channel(false).0),
        }
    }

    /// The route of the figures.
    pub(crate) fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new().routes(routes!(live_figures)).with_state(self.clone())
    }

    /// Ends every stream: the process is about to stop.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    fn figures(&self, ms: u64) -> LiveFigures {
        let metrics = &self.metrics;
        let of_callers = |labels: &str| {
            !["admin", "system", "web", "none"]
                .iter()
                .any(|own| labels.contains(&format!("service=\"{own}\"")))
        };
        let failed = |labels: &str| of_callers(labels) && labels.contains("status=\"5");
        LiveFigures {
            ms,
            requests: metrics.counted("http_requests_total", of_callers),
            failures: metrics.counted("http_requests_total", failed),
            latency: metrics.observed("http_request_duration_seconds", of_callers),
            cache_hits: metrics.counted("cache_hits_total", |_| true),
            cache_misses: metrics.counted("cache_misses_total", |_| true),
            active: metrics.level("http_active_requests"),
            connections: metrics.level("http_connections"),
            memory_bytes: pando_telemetry::resident_bytes(),
        }
    }
}

/// Watch figures of this process
///
/// Server-sent events of the kind `figures`, one a second. The differences between two of them are what happened in between.
#[utoipa::path(get, path = "/admin/live", tag = "live", params(
    ("figures" = Option<i64>, Query, minimum = 1, maximum = 600, description = "After so many events the stream ends; 600 by default"),
), responses(
    (status = 200, description = "The figures", content_type = "text/event-stream", body = LiveFigures),
    (status = 503, description = "Too many pages look at the figures, or the process is about to stop"),
))]
async fn live_figures(State(live): State<Live>, mut query: QueryString) -> Result<Response, Problem> {
    let left = query.integer("figures", 1..=FIGURES_MAX).unwrap_or(FIGURES_MAX);
    query.finish()?;
    let busy =
        |_| Problem::new(Code::Unavailable, format!("{STREAMS_MAX} pages look at the figures already"));
    let place = Arc::clone(&live.places).try_acquire_owned().map_err(busy)?;
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = live.ending.subscribe();
    let stream = Stream { live, began: Instant::now(), left, sent: 0, tick, ending, _place: place };
    Ok(event_stream(unfold(stream, |mut stream| async {
        if stream.left == 0 {
            return None;
        }
        tokio::select! {
            _ = stream.ending.wait_for(|ending| *ending) => return None,
            _ = stream.tick.tick() => {}
        }
        stream.left -= 1;
        stream.sent += 1;
        let ms = u64::try_from(stream.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = ServerEvent::new(&stream.sent.to_string(), "figures", &stream.live.figures(ms));
        Some((event, stream))
    })))
}

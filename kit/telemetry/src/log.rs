//! The log: lines on standard error, with a level that can be changed while the program runs.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::log_queue::LogQueue;
use crate::options::{LogFormat, LogOptions};

/// Why logging could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is no level and no list of directives.
    #[error(
        "log level {given:?} is not understood: {reason}; give off, error, warn, info, debug or trace, \
         or directives such as \"info,pando_http=debug\""
    )]
    Level {
        /// The given level.
        given: String,
        /// The reason.
        reason: String,
    },
    /// A process has one log, and it has been started.
    #[error("logging has already been started in this process")]
    AlreadyStarted,
    /// The thread that writes the log could not be started.
    #[error("the thread that writes the log could not be started")]
    NoThread(#[source] io::Error),
    /// The log this handle belonged to is gone.
    #[error("the log is no longer running")]
    Gone,
}

/// Changes the log while it runs.
#[derive(Clone, Debug)]
pub struct LogHandle {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: LogQueue,
}

impl LogHandle {
    /// Writes from now on what `level` (a level, or directives) asks for.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        self.filter.reload(parse_level(level)?).map_err(|_| TelemetryError::Gone)
    }

    /// Waits until what was logged before is written, but not for ever. The last thing a program does.
    pub fn flush(&self) {
        self.lines.flush();
    }

    /// The directives in force.
    pub fn level(&self) -> Result<String, TelemetryError> {
        self.filter.with_current(ToString::to_string).map_err(|_| TelemetryError::Gone)
    }
}

impl LogOptions {
    /// Whether the log could be started with these options.
    pub fn check(&self) -> Result<(), TelemetryError> {
        parse_level(&self.level).map(drop)
    }
}

/// Starts the log of this process, on standard error: standard output belongs to what a command prints.
///
/// Only `main` calls it, once.
pub fn start_logging(options: &LogOptions) -> Result<LogHandle, TelemetryError> {
    let (filter, handle) = reload::Layer::new(parse_level(&options.level)?);
    let terminal = io::stderr().is_terminal();
    let json = match options.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    let queue = LogQueue::start(io::stderr()).map_err(TelemetryError::NoThread)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(queue.clone());
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(terminal).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyStarted)?;
    Ok(LogHandle { filter: handle, lines: queue })
}

/// A bare word that is no level would be taken for the name of a module and silence everything else, so it is
/// refused; `warning`, which other programs write, means `warn`.
fn parse_level(given: &str) -> Result<EnvFilter, TelemetryError> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let refuse = |reason: String| TelemetryError::Level { given: given.to_owned(), reason };
    let mut directives = Vec::new();
    for directive in given.split(',').map(str::trim) {
        let lower = directive.to_ascii_lowercase();
        if lower == "warning" {
            directives.push("warn");
        } else if directive.contains('=') || LEVELS.contains(&lower.as_str()) {
            directives.push(directive);
        } else {
            return Err(refuse(format!("{directive:?} is not a level")));
        }
    }
    EnvFilter::builder().parse(directives.join(",")).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_people_write_them() {
        for (given, meant) in [
            ("info", "info"),
            ("DEBUG", "debug"),
            ("Warning", "warn"),
            ("info, pando_http=debug", "pando_http=debug,info"),
        ] {
            assert_eq!(parse_level(given).unwrap().to_string(), meant);
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_by_name() {
        for given in ["verbose", "", "info,loud", "pando_http=loud"] {
            let error = parse_level(given).unwrap_err().to_string();
            assert!(error.contains(&format!("{given:?}")), "{error}");
        }
    }
}

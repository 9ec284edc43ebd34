//! The address of the server, and opening one connection to it.

use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use super::fault::fault;
use crate::DatabaseError;
use crate::options::DatabaseOptions;

/// How long a point read waits for a lock, such as that of a migration: those behind it on its connection wait too.
/// Longer than a migration waits, so that reads outlast its attempts.
const LOCK_MS: u64 = 1_000;

/// The data from which every connection is made.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) config: Config,
    /// How long connecting may take, with everything that belongs to it.
    pub(crate) patience: Duration,
    pub(crate) prepare: bool,
}

impl Target {
    pub(crate) fn new(options: &DatabaseOptions) -> Result<Self, DatabaseError> {
        let mut config = match &options.url {
            Some(url) => Config::from_str(url.expose()).map_err(|error| DatabaseError::BadSetting {
                setting: "url",
                reason: std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string),
            })?,
            None => Config::new(),
        };
        if let Some(host) = &options.host {
            config.host(host);
        }
        if let Some(port) = options.port {
            config.port(port);
        }
        if let Some(user) = &options.user {
            config.user(user);
        }
        if let Some(password) = &options.password {
            config.password(password.expose());
        }
        if let Some(database) = &options.database {
            config.dbname(database);
        }
        if let Some(sslmode) = &options.sslmode {
            config.ssl_mode(ssl_mode(sslmode)?);
        }
        if config.get_ssl_mode() == SslMode::Require {
            let reason = "an encrypted connection is not possible yet: use disable or prefer".into();
            return Err(DatabaseError::BadSetting { setting: "sslmode", reason });
        }
        if config.get_hosts().is_empty() {
            let reason = "the address names no server".into();
            return Err(DatabaseError::BadSetting { setting: "url", reason });
        }
        if let Some(name) = &options.application_name {
            config.application_name(name);
        } else if config.get_application_name().is_none() {
            config.application_name("pando");
        }
        let patience = Duration::from_millis(options.pool.connect_ms);
        // A server that vanished without a word is noticed by these, not by the callers' deadlines alone.
        config.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(10));
        Ok(Self { config, patience, prepare: options.statements.prepare })
    }

    /// The same for point reads: the connection can only read, and the server stops what takes too long. These are
    /// asked for while connecting. No setting is ever sent later: a pooler in transaction mode would leave it on a
    /// connection that others use next. Such a pooler refuses these, and does without when `prepare` is off.
    pub(crate) fn for_reads(&self, timeout_ms: u64) -> Self {
        let mut target = self.clone();
        if self.prepare {
            let before = self.config.get_options().unwrap_or_default();
            let ours = format!(
                "-c default_transaction_read_only=on -c statement_timeout={timeout_ms} -c lock_timeout={LOCK_MS}"
            );
            target.config.options(format!("{before} {ours}").trim());
        }
        target
    }

    /// Connects, and drives the connection in a task of its own.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), DatabaseError> {
        // On the heap: its state is large, and every transaction would carry room for it.
        let connecting = tokio::time::timeout(self.patience, Box::pin(self.config.connect(NoTls))).await;
        let late = |_| DatabaseError::unavailable("the server did not answer in time");
        let (client, connection) = connecting.map_err(late)?.map_err(|error| connect_fault(&error))?;
        let task = pando_telemetry::spawn("database.connection", async move {
            // The statements that broke with the connection report the reason.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database connection ended");
            }
        });
        Ok((client, task))
    }

    /// Connects a line that hears what others notify; it closes with the client.
    pub(crate) async fn connect_listening(&self, heard: Sender<String>) -> Result<Client, DatabaseError> {
        let connecting = tokio::time::timeout(self.patience, Box::pin(self.config.connect(NoTls))).await;
        let late = |_| DatabaseError::unavailable("the server did not answer in time");
        let (client, mut connection) = connecting.map_err(late)?.map_err(|error| connect_fault(&error))?;
        pando_telemetry::spawn("database.connection", async move {
            let mut messages = futures_util::stream::poll_fn(|context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    // Full: they are wake-ups, and enough of them wait already.
                    let _ = heard.try_send(notification.payload().to_owned());
                }
            }
        });
        Ok(client)
    }
}

/// Every error while connecting means that the database cannot be reached.
fn connect_fault(error: &tokio_postgres::Error) -> DatabaseError {
    if let Some(said) = error.as_db_error().filter(|said| said.message().contains("startup parameter")) {
        let advice = "it seems to be a pooler: set database.statements.prepare to false";
        return DatabaseError::unavailable(format!("{} ({advice})", said.message()));
    }
    match fault("connect", error) {
        unavailable @ DatabaseError::Unavailable { .. } => unavailable,
        other => {
            let cause =
                std::error::Error::source(&other).map_or_else(|| other.to_string(), ToString::to_string);
            DatabaseError::unavailable(cause)
        }
    }
}

fn ssl_mode(text: &str) -> Result<SslMode, DatabaseError> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(DatabaseError::BadSetting {
            setting: "sslmode",
            reason: "it is one of disable, prefer".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name_and_without_the_password() {
        let url = |url: &str| DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
        for (options, expected) in [
            (url("postgres://u:sesame@h/d?sslmode=require"), "database setting sslmode: "),
            (url("postgres://u:sesame@h:port/d"), "database setting url: "),
            (url("postgres://u:sesame@h/d?colour=blue"), "database setting url: "),
            (url("user=u password=sesame"), "database setting url: the address names no server"),
        ] {
            let error = Target::new(&options).err().expect("refused").to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("sesame"), "{error}");
        }
        assert!(Target::new(&url("postgres://u:sesame@h/d")).is_ok());
    }
}

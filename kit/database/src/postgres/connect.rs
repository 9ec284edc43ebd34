//! The address of the server, and opening one connection to it.

use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt;
use pando_tls::certificate_fault;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config};

use super::encryption::{Encryption, Wishes};
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
    pub(crate) encryption: Encryption,
    /// How long connecting may take, with everything that belongs to it.
    pub(crate) patience: Duration,
    pub(crate) prepare: bool,
}

impl Target {
    pub(crate) fn new(options: &DatabaseOptions) -> Result<Self, DatabaseError> {
        let url = options.url.as_ref().map(|url| Wishes::taken_from(url.expose()));
        let (url, mut wishes) = url.map_or((None, Wishes::default()), |(url, wishes)| (Some(url), wishes));
        let mut config = match &url {
            Some(url) => Config::from_str(url).map_err(|error| DatabaseError::BadSetting {
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
        if options.sslmode.is_some() {
            wishes.sslmode.clone_from(&options.sslmode);
        } else if wishes.sslmode.is_none() {
            // An address in another form than that of a URL was read by tokio-postgres alone.
            wishes.sslmode = match config.get_ssl_mode() {
                SslMode::Disable => Some("disable".to_owned()),
                SslMode::Require => Some("require".to_owned()),
                _ => None,
            };
        }
        let encryption = Encryption::new(&wishes, &options.tls)?;
        // A socket in the file system is never encrypted, whatever the mode.
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if local { SslMode::Disable } else { encryption.mode });
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
        Ok(Self { config, encryption, patience, prepare: options.statements.prepare })
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
        let connecting = Box::pin(self.config.connect(self.encryption.clone()));
        let connecting = tokio::time::timeout(self.patience, connecting).await;
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
        let connecting = Box::pin(self.config.connect(self.encryption.clone()));
        let connecting = tokio::time::timeout(self.patience, connecting).await;
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
    if let Some(reason) = certificate_fault(error) {
        return DatabaseError::unavailable(format!("no encrypted connection: {reason}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name_and_without_the_password() {
        let url = |url: &str| DatabaseOptions { url: Some(Secret::new(url)), ..DatabaseOptions::default() };
        for (options, expected) in [
            (url("postgres://u:sesame@h/d?sslmode=allow"), "database setting sslmode: "),
            (
                url("postgres://u:sesame@h/d?sslmode=require&sslrootcert=no.pem"),
                "database setting sslrootcert: ",
            ),
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

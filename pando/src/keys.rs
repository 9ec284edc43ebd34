//! `pando keys`: makes API keys, shows and ends them.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use pando_auth::{ApiKey, ApiKeys, NewKey, Secret};
use pando_clock::{Clock, Timestamp, parse_duration};
use pando_http::Network;
use pando_resilience::{Call, Role, Scopes, Tenant};
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::recording::record_key;
use crate::{migrate, recording};

const BUDGET: Duration = Duration::from_secs(30);

/// Commands about API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and show it once
    Create(New),
    /// Show the keys, without their secrets
    List {
        /// Only those of this tenant
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// Revoke a key: servers refuse it within auth.key_recheck_ms
    Revoke {
        /// The id of the key, as `pando keys list` shows it
        id: String,
    },
    /// Make a key that may do the same, and end the old one
    Rotate {
        /// The id of the old key
        id: String,
        /// For how long the old key still counts
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
        overlap: Duration,
    },
}

/// A key to be made.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The name of the key; callers with it are called key:NAME in histories
    #[arg(long)]
    name: String,
    /// The tenant whose data it is for; without it, the one that every installation has
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The role, which stands for scopes: readonly, operator or admin
    #[arg(long, value_name = "ROLE", conflicts_with = "scopes")]
    role: Option<String>,
    /// A scope, such as profiles:read; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The addresses from which it may be used, such as 10.0.0.0/8; may be given several times
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
    /// When it ends, such as 90d; without it, never
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<Duration>,
    /// Make a key that begins with sk_test_ instead of sk_live_
    #[arg(long)]
    test: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a time such as 24h or 90d".to_owned())
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    command: KeysCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let metrics = Metrics::new();
    migrate::on_database(config, &metrics, clock, async |database| {
        let (keys, call) = (ApiKeys::new(database, clock), Call::internal("pando keys", BUDGET));
        let audit = recording::audit(config, (database, clock, &metrics))?;
        let audit = audit.as_ref();
        match command {
            KeysCommand::Create(new) => {
                let mut tx = database.transaction(&call).await?;
                let made = keys.create(&mut tx, wanted(new, clock.now())?).await?;
                record_key(audit, (&mut tx, &call), "key_created", (&made.0, None));
                tx.commit().await?;
                show(&made, out)
            }
            KeysCommand::Rotate { id, overlap } => {
                let mut tx = database.transaction(&call).await?;
                let made = keys.rotate(&mut tx, &id, overlap).await;
                let made = made.with_context(|| format!("the key {id} cannot be rotated"))?;
                record_key(audit, (&mut tx, &call), "key_rotated", (&made.0, Some(&id)));
                tx.commit().await?;
                show(&made, out)
            }
            KeysCommand::Revoke { id } => {
                let mut tx = database.transaction(&call).await?;
                let revoked = keys.revoke(&mut tx, &id).await?;
                let revoked = revoked.with_context(|| format!("there is no key {id} that is not revoked"))?;
                record_key(audit, (&mut tx, &call), "key_revoked", (&revoked, None));
                tx.commit().await?;
                let seconds = Duration::from_millis(config.auth.key_recheck_ms).as_secs_f64();
                Ok(writeln!(out, "revoked {id}: servers refuse it within {seconds} seconds")?)
            }
            KeysCommand::List { tenant } => {
                let tenant = tenant.as_deref().map(tenant_of).transpose()?;
                list(&keys.list(&call, tenant.as_ref()).await?, clock.now(), out)
            }
        }
    })
    .await
}

fn wanted(new: New, now: Timestamp) -> Result<NewKey> {
    let scopes = match (&new.role, new.scopes.as_slice()) {
        (Some(role), _) => {
            let known = Role::named(role);
            Scopes::of_role(
                known.with_context(|| format!("{role:?} is none of readonly, operator and admin"))?,
            )
        }
        (None, []) => bail!("say what the key allows: --role readonly, operator or admin, or --scope"),
        (None, scopes) => {
            if let Some(bad) = scopes.iter().find(|scope| !Scopes::is_scope(scope)) {
                bail!("{bad:?} is no scope: one looks like profiles:read, profiles:* or *:read");
            }
            Scopes::named(scopes.iter().map(String::as_str))
        }
    };
    let network = |text: &String| Network::parse(text).with_context(|| format!("{text:?} is no network"));
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    Ok(NewKey {
        tenant: new.tenant.as_deref().map(tenant_of).transpose()?.unwrap_or_default(),
        is_test: new.test,
        name: new.name,
        scopes,
        networks: new.networks.iter().map(network).collect::<Result<_>>()?,
        expires_at: new.expires.map(|time| now.plus_micros(micros(time))),
    })
}

pub(crate) fn tenant_of(name: &str) -> Result<Tenant> {
    Tenant::named(name).with_context(|| format!("{name:?} is no tenant"))
}

/// The key alone on a line of standard output, so that a script can take it.
fn show((key, secret): &(ApiKey, Secret), out: &mut dyn Write) -> Result<()> {
    eprintln!("the key {} is shown this once: keep it in a safe place", key.id);
    Ok(writeln!(out, "{}", secret.expose())?)
}

fn list(keys: &[ApiKey], now: Timestamp, out: &mut dyn Write) -> Result<()> {
    if keys.is_empty() {
        writeln!(out, "there are no keys")?;
    }
    for key in keys {
        let state = match key.revoked_at {
            Some(at) => format!("revoked {at}"),
            None if !key.is_valid(now) => "expired".to_owned(),
            None => key.expires_at.map_or_else(|| "valid".to_owned(), |at| format!("valid until {at}")),
        };
        let tenant = if key.tenant.is_default() { String::new() } else { format!("  tenant {}", key.tenant) };
        let scopes = key.scopes.iter().collect::<Vec<_>>().join(" ");
        let networks: String = key.networks.iter().map(|network| format!(" from {network}")).collect();
        let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
        writeln!(out, "{}  {}  {}{tenant}  {scopes}{networks}  {state}, {used}", key.id, key.kind, key.name)?;
    }
    Ok(())
}

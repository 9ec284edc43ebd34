//! `pando token`: makes a token of the development issuer.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use pando_auth::DevelopmentIssuer;
use pando_clock::parse_duration;
use pando_resilience::{Role, Scopes, Tenant};
use serde_json::{Map, json};

use crate::config::Config;

/// A token to be made.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The name of the caller
    #[arg(long, default_value = "developer")]
    subject: String,
    /// The tenant; without it, the one that every installation has
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The role of the caller: readonly, operator or admin
    #[arg(long, value_name = "ROLE", default_value = "admin", conflicts_with = "scopes")]
    role: String,
    /// A scope of the caller, such as profiles:read; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// For how long it counts
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = |text: &str| parse_duration(text).ok_or("must be a time such as 1h"))]
    lifetime: Duration,
}

/// Prints the token.
pub(crate) fn make(config: &Config, new: New, out: &mut dyn Write) -> Result<()> {
    let mut claims = Map::new();
    if let Some(name) = &new.tenant {
        Tenant::named(name).with_context(|| format!("{name:?} is no tenant"))?;
        claims.insert("tenant".to_owned(), json!(name));
    }
    if new.scopes.is_empty() {
        let role = &new.role;
        Role::named(role).with_context(|| format!("{role:?} is none of readonly, operator and admin"))?;
        claims.insert("role".to_owned(), json!(role));
    } else {
        let bad = new.scopes.iter().find(|scope| !Scopes::is_scope(scope));
        ensure!(
            bad.is_none(),
            "{:?} is no scope: one looks like profiles:read",
            bad.unwrap_or(&String::new())
        );
        claims.insert("scope".to_owned(), json!(new.scopes.join(" ")));
    }
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make {}", config.data_dir.display()))?;
    let issuer = DevelopmentIssuer::open(&config.data_dir)?;
    writeln!(out, "{}", issuer.token(&new.subject, claims, new.lifetime)?)?;
    if !config.auth.development_issuer {
        eprintln!("servers take it only with auth.development_issuer = true and auth.mode = \"required\"");
    }
    Ok(())
}

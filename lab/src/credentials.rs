//! Reads with a credential: Pando, which asks who calls, next to bare hyper, which is sent the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::load::{self, Pressure};
use crate::report::Report;
use crate::sample;
use crate::server::Server;

/// The contestants, and the script that sends an API key and that which sends a token.
pub(crate) struct Stage {
    ours: String,
    bare: String,
    scripts: [PathBuf; 2],
    /// It ends with the run.
    _server: Server,
}

/// Rates of every round.
#[derive(Default)]
pub(crate) struct Rates {
    key: Vec<f64>,
    token: Vec<f64>,
    bare_key: Vec<f64>,
    bare_token: Vec<f64>,
}

impl Stage {
    /// Starts a server that asks for credentials on data that has the sample profiles.
    pub(crate) async fn set(binary: &Path, data: &Path, bare: &str) -> Result<Self> {
        let settings = [("PANDO_AUTH__MODE", "required"), ("PANDO_AUTH__DEVELOPMENT_ISSUER", "true")];
        let server = Server::start(binary, data, &settings).await?;
        let key = printed(binary, data, &["keys", "create", "--name", "lab", "--role", "readonly"]).await?;
        let token = printed(binary, data, &["token", "--role", "readonly", "--lifetime", "1d"]).await?;
        let scripts = [("key.lua", key), ("token.lua", token)].map(|(name, credential)| {
            let file = data.join(name);
            let text = format!("wrk.headers[\"Authorization\"] = \"Bearer {}\"\n", credential.trim());
            std::fs::write(&file, text).map(|()| file)
        });
        let [key, token] = scripts;
        let profile = format!("api/v1/profiles/{}", sample::id(0));
        let (ours, bare) = (format!("{}/{profile}", server.url), format!("{bare}/{profile}"));
        let stage = Self { ours, bare, scripts: [key?, token?], _server: server };
        // The first read fills the memory.
        for script in &stage.scripts {
            load::wrk(&stage.ours, Some(script), Pressure { clients: 1, seconds: 1 }).await?;
        }
        Ok(stage)
    }

    /// One measurement of both with each credential, alternately first and second.
    pub(crate) async fn round(&self, round: usize, pressure: Pressure, rates: &mut Rates) -> Result<()> {
        let [key, token] = &self.scripts;
        let Rates { key: ours_key, token: ours_token, bare_key, bare_token } = rates;
        for (script, ours, bare) in [(key, ours_key, bare_key), (token, ours_token, bare_token)] {
            if round.is_multiple_of(2) {
                bare.push(load::wrk(&self.bare, Some(script), pressure).await?);
            }
            ours.push(load::wrk(&self.ours, Some(script), pressure).await?);
            if !round.is_multiple_of(2) {
                bare.push(load::wrk(&self.bare, Some(script), pressure).await?);
            }
        }
        Ok(())
    }
}

impl Rates {
    pub(crate) fn judge(&self, report: &mut Report) {
        for (name, ours, bare) in [
            ("GET a hot profile with an API key / bare hyper, same bytes", &self.key, &self.bare_key),
            ("GET a hot profile with a token / bare hyper, same bytes", &self.token, &self.bare_token),
        ] {
            report.compare(name, ours, bare, "requests/s", Some(0.92));
        }
    }
}

async fn printed(binary: &Path, data: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary).env_clear().arg("--data").arg(data).args(arguments).output().await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("a command printed no text")
}

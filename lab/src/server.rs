//! The product under test: the real binary, as a child process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// A running `pando serve`; ends with its value.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    /// From the start of the process until it answered a request.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts the binary on a data directory with these variables set, and every other setting at its default.
    pub(crate) async fn start(binary: &Path, data: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        tokio::fs::create_dir_all(data).await?;
        let port_file = data.join("port");
        let _ = tokio::fs::remove_file(&port_file).await;
        let log = std::fs::File::create(data.join("log"))?;
        let mut command = Command::new(binary);
        command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.arg("--port-file").arg(&port_file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.env("PANDO_ADMIN__ENABLED", "false").envs(variables.iter().copied());
        let begun = Instant::now();
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run: build it first", binary.display()))?;
        let address = wait_for_port(&mut child, &port_file).await?;
        let started_in = begun.elapsed();
        Ok(Self { child, url: format!("http://{address}"), started_in })
    }

    /// Resident memory, in MB.
    pub(crate) fn memory_mb(&self) -> Result<f64> {
        let id = self.child.id().context("the server ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }

    /// Ends it as an operator would, and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            Command::new("kill").arg(id.to_string()).status().await?;
        }
        self.child.wait().await?;
        Ok(())
    }
}

async fn wait_for_port(child: &mut Child, port_file: &PathBuf) -> Result<String> {
    let limit = Instant::now() + Duration::from_secs(30);
    while Instant::now() < limit {
        if let Ok(port) = tokio::fs::read_to_string(port_file).await
            && !port.trim().is_empty()
        {
            return Ok(format!("127.0.0.1:{}", port.trim()));
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server ended at once ({status}); see the log beside {}", port_file.display());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("the server did not start within 30 s")
}

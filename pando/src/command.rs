//! The command line: what the program can be asked to do.

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use pando_clock::Clock;

use crate::config::{Flags, Loaded, Sources};
use crate::queue::QueueCommand;
use crate::{VERSION, doctor, files, migrate, openapi, queue, seed, serve};

/// How long threads that are still busy may hold up the end of the program.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// A business backend in one binary.
#[derive(Debug, Parser)]
#[command(name = "pando", version, max_term_width = 100)]
pub struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Common {
    /// The settings file; without it PANDO_CONFIG, or pando.toml in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept that is not in a database server
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the platform until it is told to stop
    Serve {
        #[command(flatten)]
        door: Door,
        /// What this process does: all, or a list of profiles, tasks and worker
        #[arg(long, value_name = "ROLES")]
        roles: Option<String>,
    },
    /// Run jobs until told to stop: `serve --roles worker`
    ///
    /// Run jobs until told to stop: the same as `pando serve --roles worker`, whatever roles the settings name.
    ///
    /// Start as many as there is work for, on the database that the servers use: a PostgreSQL, or from the same
    /// machine the same file. A worker answers nothing but /health and the like; on a machine where a server
    /// has the port already, give it another one with --listen.
    Worker {
        #[command(flatten)]
        door: Door,
    },
    /// Show or check the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Bring the schema of the database up to date
    Migrate {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Check the settings, the database and this machine, and say what to change
    Doctor {
        /// How many processes like this one share the database
        #[arg(long, value_name = "N", default_value_t = 1)]
        replicas: u64,
    },
    /// Fill the database with made-up people, the same ones each time
    Seed {
        /// How many profiles
        #[arg(long, value_name = "N")]
        profiles: u64,
        /// Another number makes other people
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        seed: u64,
    },
    /// Look at jobs, bring dead ones back, pause queues
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Take the files at the place in the settings for those of the database
    ///
    /// A start refuses files that belong to another database, because servers that share a database must share their
    /// files. Run this once after files were moved or restored, or when they are lost for good.
    AdoptFiles,
    /// Print the OpenAPI document
    Openapi,
    /// Print the version
    Version,
}

/// Where a process that runs until it is told to stop can be reached.
#[derive(Args, Debug)]
struct Door {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Write the port to this file once it is open, for whoever started this process
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every setting in force, and where it came from
    Print,
    /// Whether the program can run with these settings
    Check,
}

impl CommandLine {
    /// Does what was asked; what a command prints goes to `out`, the log to standard error.
    pub fn run(self, out: &mut dyn Write) -> Result<ExitCode> {
        let Self { common, command } = self;
        let (listen, roles) = match &command {
            Command::Serve { door, roles } => (door.listen.clone(), roles.clone()),
            Command::Worker { door } => (door.listen.clone(), Some("worker".to_owned())),
            _ => (None, None),
        };
        let sources = Sources::of_process(common.config, Flags { listen, data: common.data, roles });
        let clock = Clock::system();
        match command {
            Command::Version => writeln!(out, "pando {VERSION}")?,
            Command::Config(ConfigCommand::Print) => print(&sources.read()?, out)?,
            Command::Config(ConfigCommand::Check) => check(&sources.load()?, out)?,
            Command::Doctor { replicas } => return block_on(doctor::run(&sources, replicas, &clock, out)),
            Command::Openapi => openapi::print(out)?,
            Command::Serve { door, .. } | Command::Worker { door } => {
                let loaded = sources.load()?;
                let log = pando_telemetry::start_logging(&loaded.config.log)?;
                let ended = block_on(serve::until_told_to_stop(&loaded, door.port_file.as_deref(), &clock));
                log.flush();
                return ended;
            }
            Command::Migrate { dry_run } => {
                block_on(migrate::run(&sources.load()?.config, dry_run, &clock, out))?
            }
            Command::AdoptFiles => block_on(files::adopt(&sources.load()?.config, &clock, out))?,
            Command::Queue(command) => {
                block_on(queue::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Seed { profiles, seed } => {
                block_on(seed::run(&sources.load()?.config, profiles, seed, &clock, out))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs asynchronous work to its end, on all cores.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the machine gives this program no threads")?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

fn print(loaded: &Loaded, out: &mut dyn Write) -> Result<()> {
    for setting in loaded.effective() {
        match &setting.value {
            Some(value) => writeln!(out, "{} = {value}  # {}", setting.key, setting.origin)?,
            None => writeln!(out, "# {} is not set", setting.key)?,
        }
    }
    Ok(())
}

fn check(loaded: &Loaded, out: &mut dyn Write) -> Result<()> {
    for note in &loaded.notes {
        writeln!(out, "warn  {note}")?;
    }
    writeln!(out, "ok    the program can run with these settings")?;
    Ok(())
}

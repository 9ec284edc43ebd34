//! The command line of the program.

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use pando_clock::Clock;

use crate::audit::AuditCommand;
use crate::commerce::CommerceCommand;
use crate::config::{Flags, Loaded, Sources};
use crate::keys::KeysCommand;
use crate::operators::OperatorsCommand;
use crate::pipeline::PipelineCommand;
use crate::queue::QueueCommand;
use crate::risk::RiskCommand;
use crate::vault::VaultCommand;
use crate::webhooks::WebhooksCommand;
use crate::{
    VERSION, audit, commerce, doctor, files, keys, migrate, openapi, operators, pipeline, queue, risk, seed,
    serve, token, vault, webhooks,
};

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
    /// The settings file; by default the file that PANDO_CONFIG names, or pando.toml in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory: the embedded database, files, and everything else that is not in a database server
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until it receives a stop signal
    Serve {
        #[command(flatten)]
        door: Door,
        /// The roles of this process: all, or a list of profiles, customers, commerce, risk, webhooks, tasks and worker
        #[arg(long, value_name = "ROLES")]
        roles: Option<String>,
    },
    /// Run jobs until a stop signal: `serve --roles worker`
    ///
    /// Run jobs until a stop signal arrives: the same as `pando serve --roles worker`, whatever roles the settings name.
    ///
    /// Start as many workers as you need on the database of the servers: a PostgreSQL, or on the same machine the
    /// same file. A worker answers only /health and similar paths. If a server on the same machine uses the port
    /// already, choose another one with --listen.
    Worker {
        #[command(flatten)]
        door: Door,
    },
    /// Show or check the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Bring the schema of the database up to date
    Migrate {
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        /// Also take away what processes of the version before need: none of them runs any more
        #[arg(long)]
        finish: bool,
    },
    /// Check the settings, the database and this machine, and recommend changes
    Doctor {
        /// How many processes like this one share the database
        #[arg(long, value_name = "N", default_value_t = 1)]
        replicas: u64,
    },
    /// Fill the database with invented people and products; the same seed gives the same ones
    Seed {
        /// How many profiles
        #[arg(long, value_name = "N", default_value_t = 0)]
        profiles: u64,
        /// How many products of the shop
        #[arg(long, value_name = "N", default_value_t = 0)]
        products: u64,
        /// The seed of the random generator
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        seed: u64,
    },
    /// Show jobs and queues, redrive dead jobs, pause queues
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Check the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Write customers that have changed to the object store
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    /// Make, show, rotate and revoke API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Make, show, reset, disable and enable the accounts of people who log in
    #[command(subcommand)]
    Operators(OperatorsCommand),
    /// Make a token for development
    ///
    /// Makes a token of the development issuer, whose key is in the data directory. Servers on that directory take it if
    /// auth.mode is "required" and auth.development_issuer is true.
    Token(token::New),
    /// Try webhooks
    #[command(subcommand)]
    Webhooks(WebhooksCommand),
    /// Make risk decisions again
    #[command(subcommand)]
    Risk(RiskCommand),
    /// Follow the books of the shop, or ask the provider of payments
    #[command(subcommand)]
    Commerce(CommerceCommand),
    /// Seal rows with the current key
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Accept the configured file store as the one that belongs to the database
    ///
    /// A server does not start with files that belong to another database, because servers that share a database must
    /// share their files. Run this once after the files were moved or restored, or when they are lost for good.
    AdoptFiles,
    /// Print the OpenAPI document
    Openapi,
    /// Print the version
    Version,
}

/// The address of a process that runs until it receives a stop signal.
#[derive(Args, Debug)]
struct Door {
    /// Address and port to listen on; with port 0 the system chooses a free port
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Write the port to this file once it is open, for the program that started this process
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every effective setting and where it comes from
    Print,
    /// Check whether the program can run with these settings
    Check,
}

impl CommandLine {
    /// Runs the command. Its output goes to `out`, the log to standard error.
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
            Command::Migrate { dry_run, finish } => {
                block_on(migrate::run(&sources.load()?.config, (dry_run, finish), &clock, out))?
            }
            Command::AdoptFiles => block_on(files::adopt(&sources.load()?.config, &clock, out))?,
            Command::Audit(command) => {
                return block_on(audit::run(&sources.load()?.config, command, &clock, out));
            }
            Command::Pipeline(command) => {
                block_on(pipeline::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Keys(command) => {
                block_on(keys::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Operators(command) => {
                block_on(operators::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Token(new) => token::make(&sources.load()?.config, new, out)?,
            Command::Webhooks(command) => block_on(webhooks::run(command, &clock))?,
            Command::Risk(command) => {
                return block_on(risk::run(&sources.load()?.config, command, &clock, out));
            }
            Command::Commerce(command) => {
                return block_on(commerce::run(&sources.load()?.config, command, &clock, out));
            }
            Command::Vault(command) => {
                block_on(vault::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Queue(command) => {
                block_on(queue::run(&sources.load()?.config, command, &clock, out))?;
            }
            Command::Seed { profiles, products, seed } => {
                let counts = seed::Counts { profiles, products };
                block_on(seed::run(&sources.load()?.config, counts, seed, &clock, out))?;
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
        .context("the program cannot start threads on this machine")?;
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

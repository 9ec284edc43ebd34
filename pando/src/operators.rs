//! `pando operators`: makes the accounts of people who log in, shows and changes them.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use pando_auth::{LoginWay, NewOperator, Operator, Operators};
use pando_clock::{Clock, Timestamp};
use pando_resilience::{Call, Role};
use pando_telemetry::{Metrics, Secret};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::config::Config;
use crate::keys::tenant_of;
use crate::{authentication, migrate};

const BUDGET: Duration = Duration::from_secs(30);
/// No password is longer than a line of this size.
const LINE_BYTES_MAX: u64 = 4_096;

/// Commands about the accounts of people.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorsCommand {
    /// Make an account
    Add(New),
    /// Give an account another password, unlock it, and end its sessions
    Reset {
        /// The name of the account
        name: String,
        #[command(flatten)]
        source: PasswordSource,
    },
    /// Show the accounts
    List {
        /// Only those of this tenant
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// Disable an account: servers refuse its sessions within auth.key_recheck_ms
    Disable {
        /// The name of the account
        name: String,
    },
    /// Enable an account again, and unlock it
    Enable {
        /// The name of the account
        name: String,
    },
}

/// An account to be made.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The name with which the person logs in; in histories the person is called operator:NAME
    name: String,
    /// The role of the person: readonly, operator or admin
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// The tenant whose data it is for; without it, the one that every installation has
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    #[command(flatten)]
    source: PasswordSource,
    /// The person logs in at this issuer of auth.login instead of with a password
    #[arg(long, value_name = "URL", requires = "subject", conflicts_with_all = ["password_stdin", "generate"])]
    issuer: Option<String>,
    /// The claim `sub` of the person there
    #[arg(long, value_name = "SUB", requires = "issuer")]
    subject: Option<String>,
}

/// Where a password comes from; without either, a person types it on the terminal.
#[derive(Args, Debug)]
pub(crate) struct PasswordSource {
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Make a password, and show it once
    #[arg(long, conflicts_with = "password_stdin")]
    generate: bool,
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    command: OperatorsCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let (metrics, fetch) = (Metrics::new(), authentication::fetch(config)?);
    migrate::on_database(config, &metrics, clock, async |database| {
        let operators = Operators::new(&config.auth, &fetch, (database, clock, &metrics))?;
        let call = || Call::internal("pando operators", BUDGET);
        match command {
            OperatorsCommand::Add(new) => add(&operators, new, out).await,
            OperatorsCommand::Reset { name, source } => {
                let password = source.read()?;
                operators.reset(&call(), &name, password.expose().to_owned().into()).await?;
                source.show(&password, out)?;
                eprintln!("{name} has a new password, and no session any more");
                Ok(())
            }
            OperatorsCommand::List { tenant } => {
                let tenant = tenant.as_deref().map(tenant_of).transpose()?;
                list(&operators.list(&call(), tenant.as_ref()).await?, clock.now(), out)
            }
            OperatorsCommand::Disable { name } => {
                operators.disable(&call(), &name).await?;
                let seconds = Duration::from_millis(config.auth.key_recheck_ms).as_secs_f64();
                Ok(writeln!(out, "disabled {name}: servers refuse its sessions within {seconds} seconds")?)
            }
            OperatorsCommand::Enable { name } => {
                operators.enable(&call(), &name).await?;
                Ok(writeln!(out, "enabled {name}")?)
            }
        }
    })
    .await
}

async fn add(operators: &Operators, new: New, out: &mut dyn Write) -> Result<()> {
    let role = Role::named(&new.role);
    let role = role.with_context(|| format!("{:?} is none of readonly, operator and admin", new.role))?;
    let tenant = new.tenant.as_deref().map(tenant_of).transpose()?.unwrap_or_default();
    let password = match &new.issuer {
        Some(_) => None,
        None => Some(new.source.read()?),
    };
    let way = match (&password, new.issuer, new.subject) {
        (Some(password), ..) => LoginWay::Password(password.expose().to_owned().into()),
        (None, Some(issuer), Some(subject)) => LoginWay::Provider { issuer, subject },
        (None, ..) => bail!("give --issuer and --subject together"),
    };
    let call = Call::internal("pando operators", BUDGET);
    let made = operators.add(&call, NewOperator { name: new.name, tenant, role, way }).await?;
    eprintln!("{} can log in", made.name);
    match password {
        Some(password) => new.source.show(&password, out),
        None => Ok(()),
    }
}

impl PasswordSource {
    fn read(&self) -> Result<Secret> {
        if self.generate {
            return Ok(Secret::new(Operators::random_password()?.as_str()));
        }
        if self.password_stdin {
            return line();
        }
        ensure!(
            std::io::stdin().is_terminal(),
            "standard input is no terminal: give --password-stdin or --generate"
        );
        let first = typed("password: ")?;
        let second = typed("the same again: ")?;
        ensure!(first.expose() == second.expose(), "these are two passwords");
        Ok(first)
    }

    /// A password that was made, alone on a line of standard output, so that a script can take it.
    fn show(&self, password: &Secret, out: &mut dyn Write) -> Result<()> {
        if self.generate {
            eprintln!("its password is shown this once: keep it in a safe place");
            writeln!(out, "{}", password.expose())?;
        }
        Ok(())
    }
}

/// Reads a line of the terminal, which does not show it.
fn typed(prompt: &str) -> Result<Secret> {
    let terminal = std::io::stdin();
    let before = tcgetattr(&terminal).context("the terminal cannot be read")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    // Before the prompt: text that was typed earlier was shown, and is thrown away.
    tcsetattr(&terminal, OptionalActions::Flush, &silent).context("the terminal shows what is typed")?;
    eprint!("{prompt}");
    let read = line();
    tcsetattr(&terminal, OptionalActions::Now, &before)?;
    eprintln!();
    read
}

fn line() -> Result<Secret> {
    let mut text = String::new();
    std::io::Read::take(std::io::stdin().lock(), LINE_BYTES_MAX).read_line(&mut text)?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn list(operators: &[Operator], now: Timestamp, out: &mut dyn Write) -> Result<()> {
    if operators.is_empty() {
        writeln!(out, "there are no operators")?;
    }
    for operator in operators {
        let state = match (operator.disabled_at, operator.locked_until) {
            (Some(at), _) => format!("disabled {at}"),
            (None, Some(until)) if operator.is_locked(now) => format!("locked until {until}"),
            (None, _) => "enabled".to_owned(),
        };
        let tenant = match operator.tenant.is_default() {
            true => String::new(),
            false => format!("  tenant {}", operator.tenant),
        };
        let link = operator.link.as_ref();
        let link = link.map(|(issuer, subject)| format!("  {subject} at {issuer}")).unwrap_or_default();
        writeln!(out, "{}  {}{tenant}{link}  {state}", operator.name, operator.role.name())?;
    }
    Ok(())
}

//! Which role needs what: a function each.

use std::time::Duration;

use anyhow::Result;
use pando_clock::Clock;
use pando_database::{Database, MigrationSet};
use pando_http::{App, Dependency};
use pando_profiles::{Profiles, ProfilesParts};
use pando_resilience::Call;

use crate::config::{Config, Role};
use crate::{VERSION, front_door};

/// How long `/health` waits for the database.
const PING_BUDGET: Duration = Duration::from_secs(1);

/// The schema of every role: all processes on one database agree on it, whatever each of them does.
pub(crate) const MIGRATIONS: &[MigrationSet] = &[pando_profiles::MIGRATIONS];

/// Everything the roles of this process answer to.
pub(crate) fn app(config: &Config, database: &Database, clock: &Clock) -> Result<App> {
    let mut app = App::new("Pando", VERSION).dependency(database_dependency(database)).service(
        "pando",
        front_door::routes(),
        Vec::new(),
    );
    if config.plays(Role::Profiles) {
        app = with_profiles(app, profiles(config, database, clock)?);
    }
    Ok(app)
}

/// The names of the roles this process plays.
pub(crate) fn roles(config: &Config) -> Vec<&'static str> {
    [(Role::Profiles, "profiles")]
        .into_iter()
        .filter(|(role, _)| config.plays(*role))
        .map(|(_, name)| name)
        .collect()
}

/// The profiles service.
pub(crate) fn profiles(config: &Config, database: &Database, clock: &Clock) -> Result<Profiles> {
    let parts = ProfilesParts { database: database.clone(), clock: clock.clone() };
    Ok(Profiles::new(parts, config.profiles.clone())?)
}

fn with_profiles(app: App, profiles: Profiles) -> App {
    app.service("profiles", pando_profiles::routes(profiles), pando_profiles::limits())
}

fn database_dependency(database: &Database) -> Dependency {
    let database = database.clone();
    Dependency::new("database", PING_BUDGET, move || {
        let database = database.clone();
        async move { database.ping(&Call::internal("health", PING_BUDGET)).await }
    })
}

#![doc = include_str!("../README.md")]

mod admin;
mod audit;
mod authentication;
mod command;
mod commerce;
mod config;
mod doctor;
mod files;
mod front_door;
mod jobs;
mod keys;
mod live;
mod migrate;
mod openapi;
mod operators;
mod pipeline;
mod platform;
mod queue;
mod recording;
mod risk;
mod seed;
mod serve;
mod signals;
mod token;
mod vault;
mod webhooks;
mod wiring;

pub use command::CommandLine;
pub use config::{
    AuthMode, AuthOptions, Config, ConfigError, DEFAULTS, Effective, Flags, Loaded, Role, Sources,
    WorkerOptions,
};
pub use platform::Platform;
pub use seed::{Seeded, seed_products, seed_profiles};

/// The version of the program, as `pando version` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

//! The service on real engines, over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod callbacks;
mod full_disk;
mod harness;
mod plain_callbacks;
mod schedules;
mod tasks;
mod tenants;

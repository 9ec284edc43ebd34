//! The whole house from the outside: the real binary, real files, real sockets.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod bad_input;
mod cache;
mod client;
mod commands;
mod configuration;
mod crashes;
mod crowds;
mod deaths;
mod dependencies;
mod documents;
mod engines;
mod erase_crashes;
mod erasure;
mod events;
mod exhaustion;
mod files;
mod full_disk;
mod harness;
mod image_crashes;
mod image_keys;
mod images;
mod keys;
mod platform;
mod profile_answers;
mod races;
mod redis_outages;
mod same_answers;
mod shared_files;
mod shutdown;
mod starting;
mod stopping;
mod subscribers;
mod tasks;
mod watchers;
mod worker;

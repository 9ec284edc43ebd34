#![doc = include_str!("../README.md")]

#[cfg(feature = "testing")]
pub mod conformance;
mod error;
mod http_client;
mod local;
mod name;
mod objects;
mod options;
mod path;
mod s3;

pub use error::ObjectsError;
pub use name::ObjectName;
pub use objects::{Archived, Found, Listed, Object, Objects};
pub use options::{ObjectsOptions, S3Options};
pub use pando_telemetry::Secret;
pub use path::ArchivePath;

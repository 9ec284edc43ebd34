#![doc = include_str!("../README.md")]

mod body;
mod client;
mod connection;
mod connector;
mod destination;
mod error;
mod options;
mod target;

pub use body::{RequestBody, ResponseBody};
pub use client::Client;
pub use destination::{Destination, is_public};
pub use error::ClientError;
pub use options::ClientOptions;
pub use target::Target;

#![doc = include_str!("../README.md")]

mod access_log;
mod app;
mod body;
mod caller;
mod compression;
mod conditional;
mod connection;
mod edge;
mod health;
mod json;
mod openapi;
mod options;
mod page;
mod patch;
mod problem;
mod proxies;
mod query;
mod routes;
mod server;
mod socket;
mod static_files;
mod sweeper;

pub use app::{App, Dependency, RouteLimits, ServiceRoutes};
pub use body::{RawBody, StreamedBody, body_problem};
pub use caller::{CONSISTENCY_TOKEN, Caller, ClientAddress, REQUEST_ID};
pub use compression::CompressStream;
pub use conditional::{IfMatch, IfNoneMatch, Precondition, Tag, etag};
pub use json::{JSON_DEPTH_MAX, JsonAnswer, JsonBody, expect_json, parse_json};
pub use openapi::document;
pub use options::{AccessLogOptions, HttpOptions};
pub use page::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, PageRequest, decode_cursor, encode_cursor, next_link};
pub use patch::{PATCH_OPERATIONS_MAX, apply_patch};
pub use problem::{Code, FieldError, PROBLEM_JSON, Problem};
pub use query::QueryString;
pub use server::{Drained, HttpError, Server};
pub use static_files::{StaticFile, StaticFiles};

#![doc = include_str!("../README.md")]

mod access_log;
mod admission;
mod answer;
mod app;
mod asked;
mod authentication;
mod body;
mod body_budget;
mod browser;
mod caller;
mod certificates;
mod compression;
mod conditional;
mod connection;
mod credential_text;
mod edge;
mod edge_state;
mod encoding;
mod error;
mod error_shape;
mod expiry;
mod grpc;
mod header_docs;
mod health;
mod hot;
mod json;
mod look_up;
mod openapi;
mod operation_names;
mod options;
mod pace;
mod page;
mod patch;
mod problem;
mod proxies;
mod query;
mod rejected;
mod routes;
mod scopes;
mod server;
mod short_paths;
mod socket;
mod static_files;
mod stream;
mod sweeper;
mod tls;
mod wire;

pub use app::{
    App, Authentication, Cover, Credential, Gate, GateRequest, GrpcMethod, GrpcRoutes, GrpcService,
    GrpcSystem, OnRefusal, Proves, Recall, RefusedRequest, RouteLimits, ServiceRoutes, TokenCover, Verify,
};
pub use body::{RawBody, StreamedBody, body_problem};
pub use browser::{BrowserRequest, CSRF_TOKEN};
pub use caller::{CONSISTENCY_TOKEN, Caller, ClientAddress, REQUEST_ID, call_of};
pub use certificates::CertificateError;
pub use compression::CompressStream;
pub use conditional::{IfMatch, IfNoneMatch, Precondition, Tag, etag};
pub use encoding::Encoding;
pub use error::HttpError;
pub use error_shape::{ErrorAnswer, ErrorShape};
pub use header_docs::{HeaderUse, describe_headers};
pub use health::{Dependency, Readiness};
pub use hot::{HotAnswer, HotFind, HotRead, HotRequest};
pub use json::{JSON_DEPTH_MAX, JsonAnswer, JsonBody, JsonDocument, expect_json, media_type, parse_json};
pub use openapi::document;
pub use options::{
    AccessLogOptions, ClientCertificates, HttpOptions, JSON_NODES_MAX, TlsOptions, TlsVersion,
};
pub use page::{
    PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, PageRequest, decode_cursor, encode_cursor, next_link, next_link_by,
};
pub use patch::{PATCH_OPERATIONS_MAX, apply_patch};
pub use problem::{Code, FieldError, PROBLEM_JSON, Problem};
pub use proxies::Network;
pub use query::QueryString;
pub use rejected::Rejected;
pub use server::{Drained, Server, Stop};
pub use static_files::{StaticFile, StaticFiles};
pub use tls::Reload;

#![doc = include_str!("../README.md")]

mod services;
mod system;

pub use pando_http::{GrpcMethod, GrpcRoutes};
pub use services::{BadDescriptor, GrpcServices, caller};
pub use system::system_routes;
pub use tonic::{Request, Response, Status};

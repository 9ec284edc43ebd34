#![doc = include_str!("../README.md")]

mod certificates;
mod private;
mod rabbitmq;
mod redis;
mod s3;
mod tools;

pub use certificates::{CertificateFiles, Certificates, NOT_AFTER_YEAR};
pub use private::{PrivateServer, free_port, is_root, until};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use s3::S3;
pub use tools::{node_packages, python};

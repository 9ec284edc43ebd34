#![doc = include_str!("../README.md")]

mod private;
mod rabbitmq;
mod redis;
mod s3;
mod tools;

pub use private::{PrivateServer, free_port, is_root, until};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use s3::S3;
pub use tools::python;

//! Error answers in the form that the clients of a service expect, where that is not problem details.

use http::{HeaderValue, StatusCode};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::Problem;

/// The form of a service's error answers. The edge uses it, too, for the requests that it refuses on the paths of the service.
#[derive(Clone, Copy, Debug)]
pub struct ErrorShape {
    /// The beginning of the service's paths, so that a path without a route has it, too: `/api/v2/`.
    pub prefix: &'static str,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The status of the answer; [`Problem::status`] unless clients expect another.
    pub status: fn(&Problem) -> StatusCode,
    /// Writes the body.
    pub write: fn(&ErrorAnswer<'_>) -> Vec<u8>,
    /// The name and the schema of the body in the OpenAPI document.
    pub schema: fn() -> (&'static str, RefOr<Schema>),
}

/// One error answer, for a [`ErrorShape`] to write.
#[derive(Clone, Copy, Debug)]
pub struct ErrorAnswer<'a> {
    /// The error.
    pub problem: &'a Problem,
    /// The status of the answer.
    pub status: StatusCode,
    /// The id of the request: quote it when you ask for help.
    pub request_id: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request.
    pub path: &'a str,
}

/// The shapes of all services.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorShapes(Vec<ErrorShape>);

impl ErrorShapes {
    pub(crate) fn add(&mut self, shape: ErrorShape) {
        self.0.push(shape);
        // The longest prefix decides.
        self.0.sort_by_key(|shape| std::cmp::Reverse(shape.prefix.len()));
    }

    /// The shape of a path, if it has one of its own.
    pub(crate) fn of(&self, path: &str) -> Option<&ErrorShape> {
        self.0.iter().find(|shape| path.starts_with(shape.prefix))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &ErrorShape> {
        self.0.iter()
    }
}

impl ErrorShape {
    pub(crate) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(self.media_type)
    }
}

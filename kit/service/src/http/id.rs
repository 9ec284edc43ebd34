//! The id in a path.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pando_http::Problem;
use uuid::Uuid;

/// The `{id}` of a path; an extractor. If the text is not an id, nothing has it: 404.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(|| Problem::not_found("thing of this id"))
    }
}

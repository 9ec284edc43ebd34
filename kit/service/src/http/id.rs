//! The things that paths name.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pando_http::Problem;
use uuid::Uuid;

/// The `{id}` of a path; an extractor. If the text is not an id, nothing has it: 404.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

/// A kind of things that paths name in their first parameter.
pub trait InPath {
    /// The id of one.
    type Id: Send;

    /// The thing that a text names; none if no thing is named like this.
    fn parse(text: &str) -> Option<Self::Id>;

    /// The answer to a text that names none.
    fn refused() -> Problem;
}

/// The thing in the first parameter of a path; an extractor.
#[derive(Clone, Copy, Debug)]
pub struct At<T: InPath>(pub T::Id);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        At::<Self>::from_request_parts(parts, state).await.map(|At(id)| Self(id))
    }
}

impl InPath for Id {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        text.parse().ok()
    }

    fn refused() -> Problem {
        Problem::not_found("thing of this id")
    }
}

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(parameters)| T::parse(&parameters.first()?.1));
        id.map(Self).ok_or_else(T::refused)
    }
}

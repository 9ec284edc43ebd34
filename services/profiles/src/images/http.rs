//! The routes of images.

mod media;
mod upload;

use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use pando_http::{Caller, HeaderUse, JsonAnswer, Problem, RouteLimits, StreamedBody, describe_headers};
use pando_service::http::{KeyParameter, KeyRefused, Keyed, WriteAnswer, WriteCall};
use pando_service::{Class, Fault};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::options::BODY_BYTES_MAX;
use super::{Added, Image, Images};
use crate::domain::faults::no_profile;
use crate::domain::profile::ProfileId;
use crate::http::{Id, IfMatchParameter, expected};

/// The longest pause in an upload.
const UPLOAD_IDLE_MS_MAX: u64 = 10_000;
/// How long an upload may take, decoding included.
const UPLOAD_MS_MAX: u64 = 120_000;

/// Every route of images, with its description.
pub(crate) fn image_routes(images: Images) -> OpenApiRouter {
    described_image_routes().with_state(images)
}

/// The routes without a service behind them.
pub(crate) fn described_image_routes() -> OpenApiRouter<Images> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(list_images, add_image))
        .routes(routes!(read_image, delete_image))
        .routes(routes!(read_media));
    let writes = &[("post", "/api/v1/profiles/{id}/images"), ("delete", "/api/v1/profiles/{id}/images/{n}")];
    describe_headers(router.get_openapi_mut(), &HeaderUse { writes, ..HeaderUse::default() });
    router
}

/// Uploads are larger than other bodies, and take longer. The exact bound is an option.
pub(crate) fn image_limits() -> Vec<RouteLimits> {
    vec![RouteLimits {
        path: "/api/v1/profiles/{id}/images",
        body_bytes_max: Some(BODY_BYTES_MAX),
        body_idle_ms: Some(UPLOAD_IDLE_MS_MAX),
        deadline_ms: Some(UPLOAD_MS_MAX),
    }]
}

/// The path of a profile.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes the path; Id reads it")]
struct ProfileParameter {
    /// The profile's id
    id: Uuid,
}

/// The path of an image.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes the path; Numbered reads it")]
struct ImageParameters {
    /// The profile's id
    id: Uuid,
    /// The image's number
    #[param(minimum = 1)]
    n: i64,
}

/// A form with an image.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; upload::read reads it")]
struct ImageForm {
    /// The image; `file` is another name for it.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// The bytes of an image.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes the body; upload::read reads it")]
struct ImageBytes(Vec<u8>);

/// List the images of a profile
///
/// In the order in which they were added, each with its variants.
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}/images", tag = "images", params(ProfileParameter),
    responses(
        (status = 200, description = "The images", body = Vec<Image>),
        (status = 404, description = "No living profile has this id"),
    )
)]
async fn list_images(
    State(images): State<Images>,
    Caller(call): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let images = images.list_images(&call, id).await?;
    Ok(JsonAnswer(&images).into_response())
}

/// Add an image to a profile
///
/// Send a form with the field `image` or `file`, or the image itself: JPEG, PNG, WebP or GIF (its first frame), recognised
/// by its content. The picture is turned upright, all other data of the file is removed, and the address is appended to
/// `image_urls`. Smaller variants are made soon after. If the profile has this image already, the answer is the existing
/// image. For an Idempotency-Key only the image itself counts, not the form in which it was sent.
#[utoipa::path(
    post, path = "/api/v1/profiles/{id}/images", tag = "images", params(ProfileParameter, IfMatchParameter, KeyParameter),
    request_body(content(
        (ImageForm = "multipart/form-data"),
        (ImageBytes = "image/jpeg"), (ImageBytes = "image/png"), (ImageBytes = "image/webp"), (ImageBytes = "image/gif"),
    )),
    responses(
        (status = 201, description = "The image", body = Image, headers(
            ("location" = String, description = "The address of the new resource"), ("etag" = String, description = "The profile's version with it"))),
        (status = 200, description = "The profile has this image already", body = Image),
        (status = 404, description = "No living profile has this id"),
        (status = 409, description = "Another request with this Idempotency-Key is still being processed"),
        (status = 412, description = "The profile has another version now"),
        (status = 413, description = "The image has too many bytes"),
        (status = 415, description = "The file is not an image of a supported format, or contains more than an image"),
        (status = 422, description = "The image is damaged or has too many pixels, or the profile too many images. Or the Idempotency-Key was used for another request"),
        (status = 428, description = "If-Match is required here"),
        (status = 507, description = "There is no room left"),
    )
)]
async fn add_image(
    State(images): State<Images>,
    Id(id): Id,
    keyed: Keyed,
    headers: HeaderMap,
    body: StreamedBody,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&images.0.profiles, &headers)?;
    let content = async {
        // A repeat is answered as it was, though the profile be gone by now.
        if keyed.key().is_none() {
            let call = keyed.call();
            let read = images.0.database.read_primary(call);
            crate::store::find(&read, call.tenant(), id).await?.ok_or_else(no_profile)?;
        }
        Ok(upload::read(&headers, body.kept_in_memory(), images.0.options.bytes_max).await?)
    }
    .await;
    let content = content.inspect_err(|fault| images.told_upload(word(fault)))?;
    // A client that sends slowly keeps nobody out: its bytes are there first.
    let Ok(_place) = images.0.uploads.try_acquire() else {
        images.told_upload("busy");
        let detail = "the server is already processing as many uploads of images as it allows";
        return Err(Fault::busy(detail).into());
    };
    let call = keyed.with_content(&content);
    let added = images.add_image(&call, id, &expected, content).await;
    let done = added.inspect_err(|fault| images.told_upload(word(fault)))?;
    let Added { image, created, version } = &done.value;
    if !done.replayed {
        images.told_added(&done.value);
    }
    let status = if *created { StatusCode::CREATED } else { StatusCode::OK };
    let place = format!("/api/v1/profiles/{id}/images/{}", image.number);
    Ok(WriteAnswer::json(status, &done, image).version(*version).location(&place))
}

/// The word for a fault in metrics.
fn word(fault: &Fault) -> &'static str {
    match fault.class() {
        Class::NotFound => "not_found",
        Class::Malformed => "malformed",
        Class::RequestTimeout => "request_timeout",
        Class::TooLarge => "too_large",
        Class::UnsupportedMedia => "unsupported_media",
        Class::Invalid => "invalid",
        Class::Unavailable if std::error::Error::source(fault).is_none() => "busy",
        _ => "failed",
    }
}

impl Images {
    fn told_upload(&self, outcome: &str) {
        let help = "Uploads of images, by what became of them.";
        self.0.metrics.counter("profile_image_uploads_total", help, &[("outcome", outcome)]).inc();
    }

    fn told_added(&self, added: &Added) {
        self.told_upload(if added.created { "added" } else { "known" });
        if added.created {
            let help = "Bytes of images taken in, as they are kept.";
            let bytes = added.image.bytes.unsigned_abs();
            self.0.metrics.counter("profile_image_bytes_total", help, &[]).inc_by(bytes);
        }
    }
}

/// Read one image of a profile
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}/images/{n}", tag = "images", params(ImageParameters),
    responses(
        (status = 200, description = "The image", body = Image),
        (status = 404, description = "No living profile has this id, or it has no such image"),
    )
)]
async fn read_image(
    State(images): State<Images>,
    Caller(call): Caller,
    Numbered(id, number): Numbered,
) -> Result<Response, Problem> {
    let image = images.get_image(&call, id, number).await?;
    Ok(JsonAnswer(&image).into_response())
}

/// Delete one image of a profile
///
/// The address is removed from `image_urls`. The files are deleted soon after, unless another profile has the same image.
#[utoipa::path(
    delete, path = "/api/v1/profiles/{id}/images/{n}", tag = "images", security(("token" = ["images:write"])), params(ImageParameters, IfMatchParameter, KeyParameter),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No living profile has this id, or it has no such image"),
        (status = 412, description = "The profile has another version now"),
        (status = 428, description = "If-Match is required here"),
        KeyRefused,
    )
)]
async fn delete_image(
    State(images): State<Images>,
    Numbered(id, number): Numbered,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&images.0.profiles, &headers)?;
    let done = images.delete_image(&call, id, &expected, number).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done).version(done.value.version))
}

/// Get the file of an image or a variant
///
/// The name of a file is the hash of its content, so clients may cache the file for ever. Ranges work.
#[utoipa::path(
    get, path = "/media/{name}", tag = "images",
    params(
        ("name" = String, Path, description = "64 hexadecimal digits and an ending"),
        ("Range" = Option<String>, Header, description = "One range of bytes: `bytes=0-99`"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (ImageBytes = "image/jpeg"), (ImageBytes = "image/png"), (ImageBytes = "image/webp"), (ImageBytes = "image/gif"),
        )),
        (status = 206, description = "The requested part of the file", content(
            (ImageBytes = "image/jpeg"), (ImageBytes = "image/png"), (ImageBytes = "image/webp"), (ImageBytes = "image/gif"),
        )),
        (status = 304, description = "The caller has it"),
        (status = 404, description = "There is no such file"),
        (status = 416, description = "The range begins after the end of the file"),
    )
)]
async fn read_media(
    State(images): State<Images>,
    Caller(call): Caller,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|_| Problem::not_found("image"))?;
    images.media(&call, &name, &headers).await
}

/// The `{id}` and `{n}` of a path. If they are not an id and a number, there is no such image: 404.
struct Numbered(ProfileId, i64);

impl<S: Send + Sync> FromRequestParts<S> for Numbered {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Ok(Path((id, number))) = path else { return Err(Problem::not_found("image")) };
        let id = ProfileId::parse(&id).ok_or_else(|| Problem::not_found("profile"))?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits).ok_or_else(|| Problem::not_found("image"))?;
        Ok(Self(id, number))
    }
}

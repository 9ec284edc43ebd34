//! The routes of single profiles and of lists.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use pando_cache::Source;
use pando_http::{
    Caller, IfNoneMatch, JsonAnswer, PageRequest, Problem, QueryString, encode_cursor, next_link,
};
use pando_resilience::Tenant;
use pando_service::http::{
    KeyParameter, KeyRefused, WriteAnswer, WriteBody, WriteCall, WriteFields, cached, json, with_ignored,
    with_x_cache,
};
use pando_service::{Email, Kept, PageEnd, Written};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema};

use super::{ChangeRefused, Id, IdParameter, IfMatchParameter, expected, ignored};
use crate::domain::profile::{FIELDS, ProfileChanges, ProfileFields};
use crate::read_profile::PROFILE;
use crate::{Change, Order, Profile, ProfileFilter, ProfileId, Profiles};

const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// How many ids one read may name.
const IDS_MAX: usize = 200;
/// Longest search text, in characters.
const SEARCH_CHARS_MAX: usize = 200;

/// A profile and where it was read.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileAnswer<P> {
    /// The profile; with `fields`, only those.
    #[schema(schema_with = profile_or_part)]
    profile: P,
    /// `cache` or `database`.
    source: &'static str,
}

/// The whole profile, or the fields that the request named.
fn profile_or_part() -> Schema {
    let part = ObjectBuilder::new().description(Some("The fields that were asked for")).build();
    AnyOfBuilder::new().item(Ref::from_schema_name("Profile")).item(part).build().into()
}

/// The values of `sort`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the parameter; Order reads it")]
enum SortWord {
    #[schema(rename = "-created_at")]
    Newest,
    #[schema(rename = "created_at")]
    Oldest,
    #[schema(rename = "name")]
    Name,
    #[schema(rename = "-name")]
    NameDescending,
}

/// The values of `count`.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes the parameter")]
enum CountWord {
    Exact,
    Estimated,
}

/// List profiles
///
/// Newest first, page by page; or single profiles by `ids`, in the order of the ids.
#[utoipa::path(
    get, path = "/api/v1/profiles", tag = "profiles",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most profiles on the page; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where the page begins; taken from the Link header of the previous page"),
        ("q" = Option<String>, Query, max_length = 200, description = "Only profiles whose name or e-mail address contains this text; one or two letters find words that begin with them. A page may then be short, or empty, although there is a next one"),
        ("email" = Option<String>, Query, format = "email", description = "Only the profile of this e-mail address"),
        ("sort" = inline(Option<SortWord>), Query, description = "The order; `-created_at` by default"),
        ("count" = inline(Option<CountWord>), Query, description = "Adds `X-Total-Count`"),
        ("ids" = Option<String>, Query, description = "Ids separated by commas, at most 200; unknown ones are absent from the answer"),
    ),
    responses((status = 200, description = "The profiles", body = Vec<Profile>))
)]
pub(super) async fn list(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    uri: Uri,
    mut query: QueryString,
) -> Result<Response, Problem> {
    if let Some(ids) = query.list("ids") {
        if ids.len() > IDS_MAX {
            query.error("ids", "too_many", format!("may name at most {IDS_MAX} profiles"));
        }
        query.finish()?;
        let ids: Vec<ProfileId> = ids.iter().filter_map(|id| ProfileId::parse(id)).collect();
        return Ok(json(array(&profiles.read_profiles(&call, &ids).await?)));
    }
    let count = query.one_of("count", &[("exact", true), ("estimated", false)]);
    let filter = read_filter(call.tenant(), query)?;
    let page = profiles.read_page(&call, &filter).await?;
    let mut response = with_x_cache(json(page.json), &page.kept);
    if let Some(cursor) = &page.next {
        response.headers_mut().insert(header::LINK, next_link(&uri, cursor));
    }
    let total = match count {
        Some(true) => Some(profiles.count_profiles(&call, &filter).await?),
        Some(false) => Some(profiles.estimate_profiles(&call, &filter).await?),
        None => None,
    };
    if let Some(total) = total {
        response.headers_mut().insert(X_TOTAL_COUNT, HeaderValue::from(total));
    }
    Ok(response)
}

/// Profiles that are written already, as one array.
fn array(profiles: &[Kept]) -> Bytes {
    let length: usize = profiles.iter().map(|profile| profile.bytes().len()).sum();
    let mut array = Vec::with_capacity(length + 2);
    array.push(b'[');
    for profile in profiles {
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(profile.value_named(PROFILE));
    }
    array.push(b']');
    array.into()
}

fn read_filter(tenant: &Tenant, mut query: QueryString) -> Result<ProfileFilter, Problem> {
    let orders = Order::ALL.map(|order| (order.name(), order));
    let order = query.one_of("sort", &orders).unwrap_or_default();
    let search = query.text("q").filter(|text| !text.is_empty());
    if search.as_ref().is_some_and(|text| text.chars().count() > SEARCH_CHARS_MAX) {
        query.error("q", "too_long", format!("must have at most {SEARCH_CHARS_MAX} characters"));
    }
    let email = query
        .text("email")
        .and_then(|text| Email::parse(&text).map_err(|bad| query.error("email", bad.code, bad.message)).ok());
    let page = PageRequest::read(&mut query);
    query.finish()?;
    let after = page.position::<PageEnd>()?;
    if after.as_ref().is_some_and(|end| end.place_in(tenant, &order.of_list()).is_none()) {
        return Err(Problem::malformed("the cursor belongs to a list of another order").with_field(
            "cursor",
            "value",
            "belongs to a list of another order",
        ));
    }
    Ok(ProfileFilter { order, search, email, after, limit: page.limit })
}

/// Create a profile
#[utoipa::path(
    post, path = "/api/v1/profiles", tag = "profiles", request_body = ProfileFields, params(KeyParameter),
    responses(
        (status = 201, description = "The profile", body = Profile, headers(
            ("Location" = String, description = "The address of the new resource"), ("ETag" = String, description = "Its version"),
            ("Pando-Ignored" = String, description = "Fields of the request that no profile has"))),
        (status = 404, description = "The profile that this Idempotency-Key created has been erased since"),
        (status = 409, description = "Another profile has this e-mail address. Or another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "Some fields are not valid; each is named. Or the Idempotency-Key was used for another request"),
    )
)]
pub(super) async fn create(
    State(profiles): State<Profiles>,
    WriteFields(call, fields): WriteFields,
) -> Result<Response, Problem> {
    let done = profiles.create_profile(&call, &fields).await?;
    Ok(with_ignored(created(&done), ignored([&fields].into_iter())))
}

/// Create an invented profile
///
/// The body of the request is ignored. The new profile never conflicts with another one.
#[utoipa::path(
    post, path = "/api/v1/profiles/random", tag = "profiles", params(KeyParameter),
    responses(
        (status = 201, description = "The profile", body = Profile),
        (status = 404, description = "The profile that this Idempotency-Key created has been erased since"),
        KeyRefused,
    )
)]
pub(super) async fn create_random(
    State(profiles): State<Profiles>,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    Ok(created(&profiles.create_random_profile(&call).await?))
}

fn created(done: &Written<Profile>) -> Response {
    let place = location_of(&done.value);
    WriteAnswer::json(StatusCode::CREATED, done, &done.value)
        .version(done.value.version)
        .location(&place)
        .into_response()
}

/// The answer to a change: the whole profile.
fn changed(done: &Written<Profile>) -> Response {
    WriteAnswer::json(StatusCode::OK, done, &done.value).version(done.value.version).into_response()
}

/// The address of a profile.
pub(super) fn location_of(profile: &Profile) -> String {
    format!("/api/v1/profiles/{}", profile.id)
}

/// Read a profile
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}", tag = "profiles",
    params(
        IdParameter,
        ("fields" = Option<String>, Query, description = "Only these fields, separated by commas; the ETag stays the same"),
    ),
    responses(
        (status = 200, description = "The profile and where it was read", body = ProfileAnswer<Profile>),
        (status = 304, description = "The caller has this version already"),
        (status = 404, description = "No living profile has this id"),
    )
)]
pub(super) async fn read(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    Id(id): Id,
    IfNoneMatch(known): IfNoneMatch,
    query: QueryString,
) -> Result<Response, Problem> {
    let fields = read_fields(query)?;
    let profile = profiles.read_profile(&call, id).await?;
    cached(&profile, &known, |profile| {
        let Some(fields) = fields else { return Ok(json(profile.answer())) };
        let whole = serde_json::from_slice(profile.value_named(PROFILE)).map_err(Problem::internal)?;
        let mut part: Map<String, Value> = whole;
        part.retain(|name, _| fields.contains(name));
        let source = if profile.source() == Source::Origin { "database" } else { "cache" };
        Ok(JsonAnswer(ProfileAnswer { profile: part, source }).into_response())
    })
}

fn read_fields(mut query: QueryString) -> Result<Option<Vec<String>>, Problem> {
    let fields = query.list("fields");
    if let Some(unknown) = fields.iter().flatten().find(|field| !FIELDS.contains(&field.as_str())) {
        let message = format!("names {unknown:?}, which is not one of {}", FIELDS.join(", "));
        query.error("fields", "unknown_value", message);
    }
    query.finish()?;
    Ok(fields)
}

/// Change a profile
///
/// Absent fields stay as they are, `null` clears a field, and unknown fields are ignored. A repeat changes nothing more.
#[utoipa::path(
    put, path = "/api/v1/profiles/{id}", tag = "profiles", request_body = ProfileChanges,
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 200, description = "The whole profile", body = Profile, headers(
            ("Pando-Ignored" = String, description = "Fields of the request that no profile has"))),
        (status = 409, description = "Another profile has this e-mail address. Or another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "Some fields are not valid; each is named. Or the Idempotency-Key was used for another request"),
        ChangeRefused,
    )
)]
pub(super) async fn update(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<Response, Problem> {
    let expected = expected(&profiles, &headers)?;
    let done = profiles.update_profile(&call, id, &expected, &fields).await?;
    Ok(with_ignored(changed(&done), ignored([&fields].into_iter())))
}

/// Patch a profile
///
/// JSON merge-patch or JSON Patch, by content type.
#[utoipa::path(
    patch, path = "/api/v1/profiles/{id}", tag = "profiles",
    request_body(content(
        (ProfileChanges = "application/merge-patch+json"),
        (Vec<PatchOperation> = "application/json-patch+json"),
    )),
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 200, description = "The whole profile", body = Profile),
        (status = 409, description = "Another profile has this e-mail address, or a test of the patch failed. Or another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "The patch does not fit, or some fields are not valid. Or the Idempotency-Key was used for another request"),
        ChangeRefused,
    )
)]
pub(super) async fn patch(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteBody(call, body): WriteBody,
) -> Result<Response, Problem> {
    let expected = expected(&profiles, &headers)?;
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(changed(&profiles.patch_profile(&call, id, &expected, (media, &body)).await?))
}

/// The kinds of operations of a JSON Patch.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes the body; json-patch reads it")]
enum PatchVerb {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(ToSchema)]
#[schema(example = json!({"op": "replace", "path": "/bio", "value": "Climbs trees"}))]
#[expect(dead_code, reason = "it describes the body; json-patch reads it")]
pub(crate) struct PatchOperation {
    #[schema(inline)]
    op: PatchVerb,
    /// A JSON pointer such as `/bio`.
    #[schema(pattern = "^(/([^~]|~[01])*)?$")]
    path: String,
    /// Where `move` and `copy` take the value from.
    #[schema(pattern = "^(/([^~]|~[01])*)?$")]
    from: Option<String>,
    /// The value of `add`, `replace` and `test`.
    value: Option<Value>,
}

/// Delete a profile
///
/// A deleted profile can be restored for some time; its e-mail address is free at once.
#[utoipa::path(
    delete, path = "/api/v1/profiles/{id}", tag = "profiles",
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 204, description = "Deleted"),
        ChangeRefused, KeyRefused,
    )
)]
pub(super) async fn delete(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&profiles, &headers)?;
    let done = profiles.delete_profile(&call, id, &expected).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// Restore a deleted profile
#[utoipa::path(
    post, path = "/api/v1/profiles/{id}/restore", tag = "profiles",
    params(IdParameter, IfMatchParameter, KeyParameter),
    responses(
        (status = 200, description = "The profile, living again", body = Profile),
        (status = 404, description = "No profile of this id can be restored"),
        (status = 412, description = "The profile has another version now"),
        (status = 428, description = "If-Match is required here"),
        (status = 409, description = "Another profile has taken its e-mail address. Or another request with this Idempotency-Key is still being processed"),
        (status = 422, description = "The Idempotency-Key was used for another request"),
    )
)]
pub(super) async fn restore(
    State(profiles): State<Profiles>,
    Id(id): Id,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<Response, Problem> {
    let expected = expected(&profiles, &headers)?;
    Ok(changed(&profiles.restore_profile(&call, id, &expected).await?))
}

/// Read the history of a profile
///
/// The latest change first, page by page. Deleted profiles have a history too.
#[utoipa::path(
    get, path = "/api/v1/profiles/{id}/history", tag = "profiles",
    params(IdParameter,
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Most changes on the page; 100 by default"),
        ("cursor" = Option<String>, Query, description = "Where the page begins; taken from the Link header of the previous page")),
    responses(
        (status = 200, description = "The changes", body = Vec<Change>),
        (status = 404, description = "No profile has this id"),
    )
)]
pub(super) async fn history(
    State(profiles): State<Profiles>,
    Caller(call): Caller,
    Id(id): Id,
    uri: Uri,
    page: PageRequest,
) -> Result<Response, Problem> {
    let changes = profiles.list_changes(&call, id, page.position::<i64>()?, page.limit).await?;
    let mut response = JsonAnswer(&changes).into_response();
    if let Some(last) = changes.last().filter(|last| last.version > 1 && changes.len() == page.limit) {
        response.headers_mut().insert(header::LINK, next_link(&uri, &encode_cursor(&last.version)?));
    }
    Ok(response)
}

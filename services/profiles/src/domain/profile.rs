//! The type of a profile: its fields are parsed once, when they arrive, and are valid from then on.

use pando_clock::Timestamp;
use pando_schema::Fault;
use pando_service::{Email, FieldReader, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::attributes::{AttributeRules, canonical};
use crate::domain::person::Name;
use crate::domain::search_text;

/// The longest biography, in characters.
pub(crate) const BIO_CHARS_MAX: usize = 4096;
/// How many images a profile may list.
pub(crate) const IMAGE_URLS_MAX: usize = 100;
/// The longest address of an image, in characters.
pub(crate) const IMAGE_URL_CHARS_MAX: usize = 2048;
/// How many bytes all image addresses of a profile may have together: a page of a thousand profiles must fit into memory.
pub(crate) const IMAGE_URLS_BYTES_MAX: usize = 32 * 1024;

/// The fields of a profile, in the order they are written.
pub(crate) const FIELDS: [&str; 9] =
    ["id", "name", "email", "bio", "image_urls", "attributes", "version", "created_at", "updated_at"];
/// Those of them that a cell of a CSV file holds as JSON.
pub(crate) const JSON_FIELDS: [&str; 2] = ["image_urls", "attributes"];

/// The names of the request's fields that profiles do not have: they are ignored, and the answer lists them.
pub(crate) fn unknown_fields(fields: &Map<String, Value>) -> impl Iterator<Item = &str> {
    fields.keys().map(String::as_str).filter(|name| !FIELDS.contains(name))
}

/// The pattern of an id, for schemas.
pub(crate) const UUID_PATTERN: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

/// Names one profile: a UUIDv7 made by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProfileId(Uuid);

/// A profile as it is stored and returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// The id, a UUIDv7 that the server creates.
    #[schema(value_type = Uuid)]
    pub id: ProfileId,
    /// The name of the person, in any script.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    pub name: Name,
    /// Unique among living profiles, without regard to case.
    #[schema(value_type = String, format = "email", max_length = 254)]
    pub email: Email,
    /// A few words about the person.
    #[schema(max_length = 4096)]
    pub bio: String,
    /// The addresses of the person's pictures.
    #[schema(max_items = 100)]
    pub image_urls: Vec<String>,
    /// Other data of the application, checked against the configured JSON Schema.
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// Raised by one with every change; the `ETag`.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When the profile was created.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When the profile was last changed.
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
}

/// The fields that the client decides; the server decides all others.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileDraft {
    /// See [`Profile::name`].
    pub name: Name,
    /// See [`Profile::email`].
    pub email: Email,
    /// See [`Profile::bio`].
    pub bio: String,
    /// See [`Profile::image_urls`].
    pub image_urls: Vec<String>,
    /// See [`Profile::attributes`].
    pub attributes: Map<String, Value>,
}

/// An absolute web address, or a path on this server.
#[derive(ToSchema)]
#[schema(max_length = 2048, pattern = r"^(https?://[^/\s]\S*|/|/[^/\s]\S*)$", example = "/images/zoe.webp")]
#[expect(dead_code, reason = "it describes the body; see ProfileFields")]
pub(crate) struct ImageUrl(String);

/// The fields of a new profile. Unknown fields are ignored.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it describes the body; the fields are read by ProfileDraft::parse, which names every bad one"
)]
pub(crate) struct ProfileFields {
    /// The name of the person, in any script.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
        example = "Zoë Ångström"
    )]
    name: String,
    /// Unique among living profiles, without regard to case.
    #[schema(format = "email", max_length = 254, example = "zoe@example.org")]
    email: String,
    /// A few words about the person.
    #[schema(max_length = 4096, nullable, example = "Climbs trees")]
    bio: Option<String>,
    /// Addresses of pictures: absolute, or paths on this server.
    #[schema(max_items = 100, nullable, example = json!(["/images/zoe.webp"]))]
    image_urls: Option<Vec<ImageUrl>>,
    /// Other data of the application, checked against the configured JSON Schema.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
}

/// The fields of a profile to change: absent fields stay as they are, `null` clears a field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; see ProfileFields")]
pub(crate) struct ProfileChanges {
    /// The name of the person, in any script.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
        example = "Zoë Ångström"
    )]
    name: Option<String>,
    /// Unique among living profiles, without regard to case.
    #[schema(format = "email", max_length = 254, example = "zoe@example.org")]
    email: Option<String>,
    /// A few words about the person.
    #[schema(max_length = 4096, nullable, example = "Climbs trees")]
    bio: Option<String>,
    /// Addresses of pictures: absolute, or paths on this server.
    #[schema(max_items = 100, nullable, example = json!(["/images/zoe.webp"]))]
    image_urls: Option<Vec<ImageUrl>>,
    /// Other data of the application, checked against the configured JSON Schema.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
}

impl ProfileId {
    /// Reads an id in its canonical form; anything else names no profile.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok().map(Self) } else { None }
    }
}

impl From<Uuid> for ProfileId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<ProfileId> for Uuid {
    fn from(id: ProfileId) -> Self {
        id.0
    }
}

impl std::fmt::Display for ProfileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Profile {
    /// The profile as a JSON object, for patches and for reads of single fields.
    pub fn document(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(document)) => document,
            _ => unreachable!("a profile is written as a JSON object"),
        }
    }

    /// The next version of this profile, with these fields.
    pub(crate) fn followed_by(&self, draft: ProfileDraft, now: Timestamp) -> Self {
        let ProfileDraft { name, email, bio, image_urls, attributes } = draft;
        Self { name, email, bio, image_urls, attributes, ..self.touched(now) }
    }

    /// The next version of this profile, otherwise as it was. Time never runs backwards within a profile.
    pub(crate) fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now.max(self.updated_at), ..self.clone() }
    }

    /// The text in which searches look.
    pub(crate) fn search_text(&self) -> String {
        search_text::kept(&format!("{} {}", self.name.as_str(), self.email.as_str()))
    }

    /// The fields of the profile that the client decides.
    pub fn draft(&self) -> ProfileDraft {
        ProfileDraft {
            name: self.name.clone(),
            email: self.email.clone(),
            bio: self.bio.clone(),
            image_urls: self.image_urls.clone(),
            attributes: self.attributes.clone(),
        }
    }
}

impl ProfileDraft {
    /// Reads the client's fields. Unknown fields are ignored; every bad field is named.
    pub fn parse(fields: &Map<String, Value>, rules: &AttributeRules) -> Result<Self, Violations> {
        Self::read(fields, rules, &Map::new())
    }

    /// The same, given the present attributes of the profile: if an unchanged attribute is invalid, this is not the client's
    /// fault.
    fn read(
        fields: &Map<String, Value>,
        rules: &AttributeRules,
        attributes_before: &Map<String, Value>,
    ) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let name = reader.required_text("name").and_then(|text| reader.check("name", Name::parse(text)));
        let email = reader.required_text("email").and_then(|text| reader.check("email", Email::parse(text)));
        let bio = reader.text("bio", BIO_CHARS_MAX);
        let image_urls = reader.texts("image_urls", IMAGE_URLS_MAX, parse_image_url);
        if image_urls.iter().map(String::len).sum::<usize>() > IMAGE_URLS_BYTES_MAX {
            let message = format!("must have at most {IMAGE_URLS_BYTES_MAX} bytes together");
            reader.refuse("image_urls", "too_long", &message);
        }
        let mut attributes = reader.object("attributes");
        attributes.values_mut().for_each(canonical);
        for Fault { path, message } in rules.new_violations(attributes_before, &attributes) {
            reader.refuse(&format!("attributes{path}"), "schema", &message);
        }
        reader.finish()?;
        let (Some(name), Some(email)) = (name, email) else {
            unreachable!("a missing name or e-mail is a violation");
        };
        Ok(Self { name, email, bio, image_urls, attributes })
    }

    /// Applies the given fields to this draft: a given field replaces the old value, `null` clears it, and absent fields stay.
    /// Unchanged fields are not checked again, so stricter rules do not prevent a change of other fields.
    pub fn merged(&self, fields: &Map<String, Value>, rules: &AttributeRules) -> Result<Self, Violations> {
        let current = self.document();
        let changes = |name: &str| fields.get(name).is_some_and(|value| current.get(name) != Some(value));
        // A stand-in passes for each field that stays, and is replaced by what stays.
        let mut document = Map::from_iter([
            ("name".to_owned(), Value::from("stays")),
            ("email".to_owned(), Value::from("stays@example.org")),
        ]);
        for (name, value) in fields.iter().filter(|(name, _)| changes(name)) {
            document.insert(name.clone(), value.clone());
        }
        let read = if changes("attributes") {
            Self::read(&document, rules, &self.attributes)?
        } else {
            Self::read(&document, &AttributeRules::none(), &self.attributes)?
        };
        let stays = self.clone();
        Ok(Self {
            name: if changes("name") { read.name } else { stays.name },
            email: if changes("email") { read.email } else { stays.email },
            bio: if changes("bio") { read.bio } else { stays.bio },
            image_urls: if changes("image_urls") { read.image_urls } else { stays.image_urls },
            attributes: if changes("attributes") { read.attributes } else { stays.attributes },
        })
    }

    /// The draft of a patched document: a field that the patch removed is cleared.
    pub(crate) fn patched(
        &self,
        mut document: Map<String, Value>,
        rules: &AttributeRules,
    ) -> Result<Self, Violations> {
        for name in self.document().keys() {
            document.entry(name).or_insert(Value::Null);
        }
        self.merged(&document, rules)
    }

    /// The first version of a profile of this draft.
    pub(crate) fn born(self, id: ProfileId, now: Timestamp) -> Profile {
        let Self { name, email, bio, image_urls, attributes } = self;
        Profile { id, name, email, bio, image_urls, attributes, version: 1, created_at: now, updated_at: now }
    }

    /// The draft as a JSON object.
    pub fn document(&self) -> Map<String, Value> {
        Map::from_iter([
            ("name".to_owned(), Value::from(self.name.as_str())),
            ("email".to_owned(), Value::from(self.email.as_str())),
            ("bio".to_owned(), Value::from(self.bio.as_str())),
            ("image_urls".to_owned(), Value::from(self.image_urls.clone())),
            ("attributes".to_owned(), Value::Object(self.attributes.clone())),
        ])
    }
}

/// An absolute web address, or a path on this server.
fn parse_image_url(text: &str) -> Result<(), String> {
    if text.chars().count() > IMAGE_URL_CHARS_MAX {
        return Err(format!("must have at most {IMAGE_URL_CHARS_MAX} characters"));
    }
    let addressed = ["https://", "http://"].iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    });
    let on_this_server = text.starts_with('/') && !text.starts_with("//");
    if !(addressed || on_this_server) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must be a web address that starts with https://, http:// or /".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> AttributeRules {
        AttributeRules::new(1024, None).unwrap()
    }

    fn parse(fields: Value) -> Result<ProfileDraft, Violations> {
        ProfileDraft::parse(fields.as_object().unwrap(), &rules())
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let violations = parse(json!({
            "name": 7, "bio": ["no"], "image_urls": ["ftp://x", 3], "attributes": "none", "unknown": {"is": "ignored"}
        }))
        .unwrap_err();
        let fields: Vec<&str> = violations.iter().map(|violation| &*violation.field).collect();
        assert_eq!(fields, ["name", "email", "bio", "image_urls[0]", "image_urls[1]", "attributes"]);
    }

    #[test]
    fn what_is_too_long_is_said_alike_of_every_field() {
        let long = "x".repeat(5_000);
        let violations =
            parse(json!({"name": long, "email": format!("{long}@example.org"), "bio": long})).unwrap_err();
        let told: Vec<_> = violations.iter().map(|it| (&*it.field, &*it.code)).collect();
        assert_eq!(told, [("name", "too_long"), ("email", "too_long"), ("bio", "too_long")]);
    }

    #[test]
    fn merging_keeps_what_is_absent_and_clears_what_is_null() {
        let draft =
            parse(json!({"name": "Zoë", "email": "zoe@example.org", "bio": "long", "attributes": {"a": 1}}));
        let draft = draft.unwrap();
        let change = json!({"bio": null, "version": 99, "nonsense": true});
        let merged = draft.merged(change.as_object().unwrap(), &rules()).unwrap();
        assert_eq!(merged, ProfileDraft { bio: String::new(), ..draft.clone() });
        assert!(draft.merged(json!({"name": null}).as_object().unwrap(), &rules()).is_err());
    }

    #[test]
    fn attributes_follow_the_configured_schema() {
        let schema = json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}});
        let rules = AttributeRules::new(64, Some(&schema)).unwrap();
        let parse = |attributes: Value| {
            let fields = json!({"name": "n", "email": "n@example.org", "attributes": attributes});
            ProfileDraft::parse(fields.as_object().unwrap(), &rules)
        };
        assert!(parse(json!({"age": 3})).is_ok());
        assert_eq!(parse(json!({"age": -3})).unwrap_err().iter().next().unwrap().field, "attributes/age");
        assert!(parse(json!({"long": "x".repeat(64)})).is_err());
        assert!(AttributeRules::new(64, Some(&json!({"type": 5}))).is_err());
    }

    #[test]
    fn rules_that_were_tightened_hold_for_what_is_changed_only() {
        let old =
            parse(json!({"name": "n", "email": "n@example.org", "attributes": {"age": -3, "b": 1}})).unwrap();
        let old = ProfileDraft { name: Name::stored("two\nlines".to_owned()), ..old };
        let schema = json!({
            "properties": {"age": {"type": "integer", "minimum": 0}, "b": {"type": "integer"}},
            "required": ["c"],
        });
        let rules = AttributeRules::new(64, Some(&schema)).unwrap();
        let merged = |change: Value| old.merged(change.as_object().unwrap(), &rules);
        assert_eq!(merged(json!({"bio": "new"})).unwrap().name, old.name);
        let same = Value::Object(old.document());
        assert_eq!(merged(same).unwrap(), old, "who sends back what was read changes nothing");
        assert!(merged(json!({"attributes": {"age": -3, "b": 2}})).is_ok());
        for (attributes, field) in
            [(json!({"age": -4, "b": 1}), "attributes/age"), (json!({"age": -3, "b": "x"}), "attributes/b")]
        {
            let refused = merged(json!({"attributes": attributes})).unwrap_err();
            assert_eq!(refused.iter().map(|it| &*it.field).collect::<Vec<_>>(), [field]);
        }
        assert!(merged(json!({"name": "one\nmore"})).is_err());
    }

    #[test]
    fn image_addresses_are_web_addresses_or_paths() {
        for good in ["https://cdn.example.org/a.png", "http://x/y", "/media/ab.webp"] {
            assert!(parse_image_url(good).is_ok(), "{good}");
        }
        for bad in
            ["", "//evil.example", "https://", "https:///x", "javascript:alert(1)", "https://a b", "data:,x"]
        {
            assert!(parse_image_url(bad).is_err(), "{bad}");
        }
    }
}

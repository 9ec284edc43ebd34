//! Products, and the fields that a caller gives of one.

use pando_service::prelude::*;
use pando_service::{BadText, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::category::category_name;
use crate::domain::money::{Currency, Decimal, Money, scaled};

const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 1_000;
const BRAND_CHARS_MAX: usize = 100;
const IMAGES_MAX: usize = 5;
const TAGS_MAX: usize = 20;
const METADATA_BYTES_MAX: usize = 16 * 1024;
/// The largest price, in the whole unit of its currency.
const PRICE_MAX: i64 = 99_999;
const WEIGHT_GRAMS_MAX: i64 = 9_999_990;
pub(crate) const STOCK_MAX: i64 = 999_999;

/// A product as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    pub id: Uuid,
    /// The number of the article: unique among products that are not deleted.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// A text about it.
    pub description: String,
    /// The price of one unit.
    pub price: Decimal,
    /// The currency of the price.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// The name of its category.
    pub category: String,
    /// The id of its category.
    pub category_id: Uuid,
    /// How many can be sold now.
    pub stock_quantity: i64,
    /// The first of its pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub image_url: Option<String>,
    /// Its pictures.
    pub image_urls: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its maker.
    pub brand: String,
    /// Its weight in kilograms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub weight: Option<Decimal>,
    /// Further data that the shop keeps about it.
    pub metadata: Map<String, Value>,
    /// Whether it is offered.
    pub active: bool,
    /// Counts its changes. Sales do not count.
    pub version: i64,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The fields of a product that its callers give, each of which is right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) price: Money,
    pub(crate) category: CategoryRef,
    pub(crate) brand: String,
    pub(crate) weight_grams: Option<i64>,
    pub(crate) image_urls: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) active: bool,
}

/// The category that a caller names, by its id or by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CategoryRef {
    Id(Uuid),
    Name(String),
}

/// A product as it is stored, with its stock.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    pub(crate) draft: Draft,
    pub(crate) category_name: String,
    pub(crate) category_id: Uuid,
    pub(crate) available: i64,
    /// Rises with each change of the product and with each movement of its stock, so it is the version of the whole answer.
    pub(crate) revision: i64,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Stored {
    pub(crate) fn shown(&self) -> Product {
        let draft = &self.draft;
        Product {
            id: self.id,
            sku: draft.sku.clone(),
            name: draft.name.clone(),
            description: draft.description.clone(),
            price: draft.price.decimal(),
            currency: draft.price.currency,
            category: self.category_name.clone(),
            category_id: self.category_id,
            stock_quantity: self.available,
            image_url: draft.image_urls.first().cloned(),
            image_urls: draft.image_urls.clone(),
            tags: draft.tags.clone(),
            brand: draft.brand.clone(),
            weight: draft.weight_grams.map(|grams| Decimal::new(grams, 3)),
            metadata: draft.metadata.clone(),
            active: draft.active,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Draft {
    /// The fields of a new product, and how many units of it there are; every bad field if there is any. A product without an SKU
    /// gets `fresh_sku`.
    pub(crate) fn read(
        fields: &Map<String, Value>,
        currency: Currency,
        fresh_sku: &str,
    ) -> Result<(Self, i64), Violations> {
        let mut reader = FieldReader::new(fields);
        let given = Given::read(fields, &mut reader, currency);
        for (field, missing) in [
            ("name", given.name.is_none()),
            ("price", given.price.is_none()),
            ("category", given.category.is_none()),
        ] {
            if missing && !names(fields, field) {
                reader.refuse(field, "required", "is required");
            }
        }
        reader.finish()?;
        let missing = || Violations::one("name", "required", "is required");
        let draft = Self {
            sku: given.sku.unwrap_or_else(|| fresh_sku.to_owned()),
            name: given.name.ok_or_else(missing)?,
            description: given.description.unwrap_or_default(),
            price: given.price.ok_or_else(missing)?,
            category: given.category.ok_or_else(missing)?,
            brand: given.brand.unwrap_or_default(),
            weight_grams: given.weight_grams.flatten(),
            image_urls: given.image_urls.unwrap_or_default(),
            tags: given.tags.unwrap_or_default(),
            metadata: given.metadata.unwrap_or_default(),
            active: given.active.unwrap_or(true),
        };
        Ok((draft, given.stock.unwrap_or_default()))
    }

    /// The fields with those of a caller in their place, and the new number of units if the caller gives one.
    pub(crate) fn changed_by(&self, fields: &Map<String, Value>) -> Result<(Self, Option<i64>), Violations> {
        let mut reader = FieldReader::new(fields);
        let given = Given::read(fields, &mut reader, self.price.currency);
        reader.finish()?;
        let current = self.clone();
        let draft = Self {
            sku: given.sku.unwrap_or(current.sku),
            name: given.name.unwrap_or(current.name),
            description: given.description.unwrap_or(current.description),
            price: given.price.unwrap_or(current.price),
            category: given.category.unwrap_or(current.category),
            brand: given.brand.unwrap_or(current.brand),
            weight_grams: given.weight_grams.unwrap_or(current.weight_grams),
            image_urls: given.image_urls.unwrap_or(current.image_urls),
            tags: given.tags.unwrap_or(current.tags),
            metadata: given.metadata.unwrap_or(current.metadata),
            active: given.active.unwrap_or(current.active),
        };
        Ok((draft, given.stock))
    }
}

/// The fields that are there, as far as they are right.
struct Given {
    sku: Option<String>,
    name: Option<String>,
    description: Option<String>,
    price: Option<Money>,
    category: Option<CategoryRef>,
    brand: Option<String>,
    weight_grams: Option<Option<i64>>,
    image_urls: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    metadata: Option<Map<String, Value>>,
    active: Option<bool>,
    stock: Option<i64>,
}

impl Given {
    fn read(fields: &Map<String, Value>, reader: &mut FieldReader<'_>, shop: Currency) -> Self {
        let currency = match is_given(fields, "currency").then(|| reader.required_text("currency")).flatten()
        {
            Some(code) => reader.check("currency", currency(code)).unwrap_or(shop),
            None => shop,
        };
        Self {
            sku: text(fields, reader, "sku").and_then(|sku| reader.check("sku", self::sku(sku))),
            name: text(fields, reader, "name")
                .and_then(|name| reader.check("name", named(name, NAME_CHARS_MAX))),
            description: text(fields, reader, "description")
                .and_then(|text| reader.check("description", short(text, DESCRIPTION_CHARS_MAX))),
            price: fields.get("price").filter(|price| !price.is_null()).and_then(|price| {
                let price = price_of(price, currency);
                reader.check("price", price)
            }),
            category: category(fields, reader),
            brand: text(fields, reader, "brand")
                .and_then(|text| reader.check("brand", short(text, BRAND_CHARS_MAX))),
            weight_grams: fields.get("weight").map(|weight| match weight {
                Value::Null => None,
                weight => reader.check("weight", grams(weight)),
            }),
            image_urls: images(fields, reader),
            tags: is_given(fields, "tags").then(|| reader.texts("tags", TAGS_MAX, tag)),
            metadata: is_given(fields, "metadata").then(|| {
                let metadata = reader.object("metadata");
                if serde_json::to_vec(&metadata).is_ok_and(|text| text.len() > METADATA_BYTES_MAX) {
                    reader.refuse("metadata", "too_long", "must have at most 16 KiB of JSON");
                }
                metadata
            }),
            active: is_given(fields, "active").then(|| reader.flag("active")),
            stock: fields.get("stockQuantity").filter(|stock| !stock.is_null()).and_then(|stock| {
                let stock = stock.as_i64().filter(|stock| (0..=STOCK_MAX).contains(stock));
                let bad = || BadText::value("must be a whole number from 0 to 999999");
                reader.check("stockQuantity", stock.ok_or_else(bad))
            }),
        }
    }
}

fn is_given(fields: &Map<String, Value>, field: &str) -> bool {
    fields.get(field).is_some_and(|value| !value.is_null())
}

/// Whether a field is there, under whichever of its names.
fn names(fields: &Map<String, Value>, field: &str) -> bool {
    let others: &[&str] = if field == "category" { &["categoryId", "categoryName"] } else { &[] };
    is_given(fields, field) || others.iter().any(|other| is_given(fields, other))
}

fn text<'a>(fields: &Map<String, Value>, reader: &mut FieldReader<'a>, field: &str) -> Option<&'a str> {
    is_given(fields, field).then(|| reader.required_text(field)).flatten()
}

fn named(text: &str, chars_max: usize) -> Result<String, BadText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadText::value("must not be empty"));
    }
    short(text, chars_max)
}

fn short(text: &str, chars_max: usize) -> Result<String, BadText> {
    if text.contains('\0') {
        return Err(BadText::value("must not have the character NUL"));
    }
    match text.chars().count() <= chars_max {
        true => Ok(text.to_owned()),
        false => Err(BadText::too_long(chars_max)),
    }
}

fn sku(text: &str) -> Result<String, BadText> {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    match (3..=50).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(BadText::value("must have 3 to 50 of A-Z, 0-9, - and _")),
    }
}

fn currency(code: &str) -> Result<Currency, BadText> {
    Currency::parse(code).map_err(|error| BadText::value(&error.to_string()))
}

fn price_of(value: &Value, currency: Currency) -> Result<Money, BadText> {
    let money = Money::read(value, currency).map_err(|error| BadText::value(&error.to_string()))?;
    let most = (PRICE_MAX + 1) * 10_i64.pow(currency.digits()) - 1;
    match (0..=most).contains(&money.minor) {
        true => Ok(money),
        false => Err(BadText::value("must be at least 0 and less than 100000")),
    }
}

fn grams(value: &Value) -> Result<i64, BadText> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        _ => return Err(BadText::value("must be a number")),
    };
    match scaled(&text, 3).ok().filter(|grams| (0..=WEIGHT_GRAMS_MAX).contains(grams)) {
        Some(grams) => Ok(grams),
        None => {
            Err(BadText::value("must be from 0 to 9999.99 kilograms, with at most 3 digits behind the point"))
        }
    }
}

fn category(fields: &Map<String, Value>, reader: &mut FieldReader<'_>) -> Option<CategoryRef> {
    if let Some(id) = text(fields, reader, "categoryId") {
        let id = Uuid::try_parse(id).map_err(|_| BadText::value("must be an id: a UUID"));
        return reader.check("categoryId", id).map(CategoryRef::Id);
    }
    let field = ["category", "categoryName"].into_iter().find(|field| is_given(fields, field))?;
    let name = text(fields, reader, field)?;
    reader.check(field, category_name(name)).map(CategoryRef::Name)
}

/// The pictures: a list, or one under its older name.
fn images(fields: &Map<String, Value>, reader: &mut FieldReader<'_>) -> Option<Vec<String>> {
    if is_given(fields, "imageUrls") {
        return Some(reader.texts("imageUrls", IMAGES_MAX, |url| image_url(url).map(drop)));
    }
    let one = text(fields, reader, "imageUrl")?;
    let url = image_url(one).map_err(|message| BadText::value(&message));
    reader.check("imageUrl", url).map(|url| vec![url])
}

fn image_url(text: &str) -> Result<String, String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://") || text.starts_with('/');
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_web && is_plain && text.len() <= 2_048 {
        true => Ok(text.to_owned()),
        false => {
            Err("must be an address with http or https, or a path, of at most 2048 characters".to_owned())
        }
    }
}

fn tag(text: &str) -> Result<(), String> {
    match (1..=30).contains(&text.chars().count()) && !text.contains('\0') {
        true => Ok(()),
        false => Err("must have 1 to 30 characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> Result<(Draft, i64), Vec<String>> {
        let dollars = Currency::parse("USD").unwrap();
        let read = Draft::read(fields.as_object().unwrap(), dollars, "SKU-1");
        read.map_err(|bad| bad.iter().map(|one| one.field.to_string()).collect())
    }

    #[test]
    fn a_product_needs_a_name_a_price_and_a_category() {
        let (draft, stock) =
            read(json!({"name": " Tea ", "price": 29.99, "category": "Kitchen", "stockQuantity": 7}))
                .unwrap();
        assert_eq!(
            (draft.name.as_str(), draft.price.minor, draft.sku.as_str(), stock),
            ("Tea", 2_999, "SKU-1", 7)
        );
        assert_eq!(read(json!({})).unwrap_err(), ["name", "price", "category"]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let bad = read(json!({
            "name": "", "price": 1.234, "category": 7, "sku": "ab", "stockQuantity": -1, "weight": "heavy",
            "imageUrls": ["javascript:alert(1)"], "tags": [""], "currency": "dollars", "active": "yes",
        }));
        let expected = [
            "currency",
            "sku",
            "name",
            "price",
            "category",
            "weight",
            "imageUrls[0]",
            "tags[0]",
            "active",
            "stockQuantity",
        ];
        assert_eq!(bad.unwrap_err(), expected);
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let (draft, _) =
            read(json!({"name": "Tea", "price": 3, "category": "Kitchen", "weight": 0.25})).unwrap();
        let change = json!({"price": 4, "weight": null, "stockQuantity": 3});
        let (changed, stock) = draft.changed_by(change.as_object().unwrap()).unwrap();
        assert_eq!((changed.price.minor, changed.weight_grams, stock), (400, None, Some(3)));
        assert_eq!(changed.name, "Tea");
    }
}

//! Screens a name against lists.

use pando_service::Class;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::countries::country;
use crate::domain::ids;
use crate::ground::Ground;
use crate::screening::{MATCHES_MAX, Match, Query, QueryError, Weights};

/// How many matches are shown unless the request says otherwise.
const LIMIT: usize = 20;

/// The outcome of a screening.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Screening {
    /// The business, if the request names its address and country as well.
    pub business_id: String,
    /// `clear`, or `match` if at least one match counts.
    pub sanctions_status: String,
    /// The matches, the best first.
    pub matches: Vec<NameMatch>,
    /// When the name was screened.
    #[schema(value_type = String, format = DateTime)]
    pub screening_date: Timestamp,
}

/// One match.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NameMatch {
    /// The list.
    pub source: String,
    /// The same, by its other published name.
    pub sanctions_list: String,
    /// The entry of the list.
    pub entry_id: String,
    /// How well the name matches, from 0 to 1.
    pub score: f64,
    /// The same, by its other published name.
    pub match_score: f64,
    /// The name on the list, and for what it is there.
    pub details: String,
    /// `exact`, `partial`, `fuzzy` or `phonetic`.
    #[schema(value_type = String)]
    pub match_type: Value,
    /// The agreements between the names, each from 0 to 1.
    #[schema(value_type = Object)]
    pub features: Value,
    /// A hash of the content of the entry, which changes with the entry.
    pub entry_version: String,
    /// Whether the match does not count, because it is remembered as a false positive of the business.
    pub suppressed: bool,
    /// When the name was screened.
    #[schema(value_type = String, format = DateTime)]
    pub match_date: Timestamp,
}

/// The options of a request for comparing names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wishes {
    limit: Option<usize>,
    threshold: Option<f64>,
    weights: Option<Weights>,
}

impl Risk {
    /// Screens the name of a business. Without a list there is no answer, because `clear` would not be true.
    pub async fn screen_name(&self, call: &Call, fields: &Map<String, Value>) -> Result<Screening, Fault> {
        let mut reader = FieldReader::new(fields);
        let name = reader.required_text("business_name").unwrap_or_default().trim().to_owned();
        let address = reader.text("business_address", 500);
        let country = match reader.text("country", 10) {
            given if given.is_empty() => None,
            given => {
                let known = country(&given);
                if known.is_none() {
                    let message = "must be a country of ISO 3166 in two letters";
                    reader.refuse("country", "INVALID_COUNTRY", message);
                }
                known
            }
        };
        let wishes = ["limit", "threshold", "weights"].into_iter();
        let wishes: Map<String, Value> =
            wishes.filter_map(|field| Some((field.to_owned(), fields.get(field)?.clone()))).collect();
        let wishes =
            serde_json::from_value(Value::Object(wishes)).unwrap_or_else(|error: serde_json::Error| {
                reader.refuse("weights", "INVALID_INPUT", &error.to_string());
                Wishes::default()
            });
        reader.finish()?;
        let ground = self.present_ground(call).await?;
        if !ground.can_screen() {
            return Err(Fault::new(Class::Unavailable, "no list is loaded: names cannot be screened"));
        }
        let screen =
            move |risk: &Self| risk.screened_name(&ground, (&name, &address, country.as_deref()), wishes);
        self.searching(screen).await
    }

    fn screened_name(
        &self,
        ground: &Ground,
        (name, address, country): (&str, &str, Option<&str>),
        wishes: Wishes,
    ) -> Result<Screening, Fault> {
        let query = Query {
            country,
            limit: wishes.limit.unwrap_or(LIMIT).clamp(1, MATCHES_MAX),
            threshold: wishes.threshold.unwrap_or(f64::from(self.0.options.match_percent_min) / 100.0),
            weights: wishes.weights.unwrap_or_default(),
            ..Query::new(name)
        };
        let now = self.0.parts.clock.now();
        let found = ground.search(&query).map_err(bad_query)?;
        let business = ids::of_business(name, address, country.unwrap_or_default());
        let is_false = |found: &Match<'_>| ground.tenant.lists.is_false(business, found.entry);
        let matches: Vec<NameMatch> = found.iter().map(|one| shown(one, is_false(one), now)).collect();
        let is_clear = matches.iter().all(|found| found.suppressed);
        Ok(Screening {
            business_id: ids::BUSINESS.show(business),
            sanctions_status: if is_clear { "clear" } else { "match" }.to_owned(),
            matches,
            screening_date: now,
        })
    }
}

fn shown(found: &Match<'_>, suppressed: bool, now: Timestamp) -> NameMatch {
    let entry = found.entry;
    let programs =
        if entry.programs.is_empty() { String::new() } else { format!(" ({})", entry.programs.join(", ")) };
    NameMatch {
        source: entry.source.clone(),
        sanctions_list: entry.source.clone(),
        entry_id: entry.id.clone(),
        score: found.score,
        match_score: found.score,
        details: format!("{}{programs}", found.matched_name),
        match_type: serde_json::to_value(found.match_type).unwrap_or_default(),
        features: serde_json::to_value(found.features).unwrap_or_default(),
        entry_version: entry.version(),
        suppressed,
        match_date: now,
    }
}

/// The query cannot be answered.
pub(crate) fn bad_query(error: QueryError) -> Fault {
    let (field, code) = match error {
        QueryError::NameTooLong | QueryError::NoWords => ("business_name", "INVALID_BUSINESS_NAME"),
        QueryError::Threshold => ("threshold", "INVALID_INPUT"),
        QueryError::Weight(_) => ("weights", "INVALID_INPUT"),
    };
    pando_service::Violations::one(field, code, error.to_string()).into()
}

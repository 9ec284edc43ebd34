//! Monitors the articles about a business: screens its name at once, and again whenever the articles change.

use pando_service::Class;
use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::Risk;
use crate::domain::countries::country;
use crate::domain::monitoring::{MediaAlert, MediaMonitoring, Monitoring};
use crate::domain::{events, ids};
use crate::screen_name::bad_query;
use crate::screening::{ArticleType, Query, QueryError};
use crate::store::monitorings;

const ALL: [ArticleType; 3] = [ArticleType::News, ArticleType::SocialMedia, ArticleType::Regulatory];

impl Risk {
    /// Begins a monitoring, with an alert for each article that mentions the name.
    pub async fn monitor_media(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<MediaMonitoring>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut monitoring = read(fields)?;
            if self.0.media.is_empty() {
                return Err(Fault::new(
                    Class::Unavailable,
                    "no articles are loaded: media cannot be monitored",
                ));
            }
            monitoring.id = self.0.parts.clock.fresh_id();
            monitoring.created_at = self.0.parts.clock.now();
            self.0.media.version().clone_into(&mut monitoring.articles);
            let mut write = turn.begin().await?;
            let limit = i64::from(self.0.options.monitorings_max);
            if monitorings::count(&mut write.tx, call.tenant(), limit).await? >= limit {
                return Err(Fault::conflict(format!(
                    "there are {limit} monitorings already: delete some of them"
                )));
            }
            monitorings::insert(&mut write.tx, call.tenant(), &monitoring)?;
            let alerts = self.screen_media(&mut write, &monitoring).await?;
            write.done(monitoring.shown(alerts))
        });
        write.await
    }

    /// Screens the name of a monitoring: one alert and one event for each article that is new.
    pub(crate) async fn screen_media(
        &self,
        write: &mut Write,
        monitoring: &Monitoring,
    ) -> Result<Vec<MediaAlert>, Fault> {
        let threshold = f64::from(self.0.options.match_percent_min) / 100.0;
        let mentions = match self.0.media.mentions(monitoring, threshold) {
            Ok(mentions) => mentions,
            Err(QueryError::NoWords) => Vec::new(),
            Err(error) => return Err(Fault::internal(error)),
        };
        let tenant = write.call.tenant().clone();
        let articles = mentions.iter().map(|mention| mention.article.id.clone()).collect();
        let known = monitorings::known(&mut write.tx, &tenant, monitoring.id, articles).await?;
        let now = self.0.parts.clock.now();
        let mut alerts: Vec<MediaAlert> = Vec::new();
        for mention in &mentions {
            let is_known =
                |id: &String| alerts.iter().any(|alert| alert.article_id == *id) || known.contains(id);
            if is_known(&mention.article.id) {
                continue;
            }
            let alert = MediaAlert::of(mention, self.0.parts.clock.fresh_id(), now);
            monitorings::insert_alert(&mut write.tx, &tenant, monitoring.id, &alert)?;
            write.created(events::media_alert(monitoring, &alert));
            alerts.push(alert);
        }
        Ok(alerts)
    }
}

fn read(fields: &Map<String, Value>) -> Result<Monitoring, Fault> {
    let mut reader = FieldReader::new(fields);
    let mut text = |field: &str, chars: std::ops::RangeInclusive<usize>, code| {
        let given = fields.get(field).and_then(Value::as_str).unwrap_or_default().trim();
        if !chars.contains(&given.chars().count()) || given.contains('\0') {
            let message = format!("must have {} to {} characters", chars.start(), chars.end());
            reader.refuse(field, code, &message);
        }
        given.to_owned()
    };
    let business_name = text("business_name", 1..=255, "INVALID_BUSINESS_NAME");
    let address = text("business_address", 10..=500, "INVALID_BUSINESS_ADDRESS");
    let given = fields.get("country").filter(|given| !given.is_null());
    let known = given.and_then(Value::as_str).and_then(country);
    if given.is_some() && known.is_none() {
        reader.refuse("country", "INVALID_COUNTRY", "must be a country of ISO 3166 in two letters");
    }
    let types: Option<Vec<ArticleType>> = match fields.get("monitoring_types") {
        None | Some(Value::Null) => Some(ALL.to_vec()),
        Some(given) => serde_json::from_value(given.clone()).ok(),
    };
    let mut types = types.filter(|types| (1..=ALL.len()).contains(&types.len())).unwrap_or_default();
    if types.is_empty() {
        let message = "must be one to three of news, social_media and regulatory";
        reader.refuse("monitoring_types", "INVALID_INPUT", message);
    }
    types.sort_unstable();
    types.dedup();
    reader.finish()?;
    Query::new(&business_name).check().map_err(bad_query)?;
    Ok(Monitoring {
        id: uuid::Uuid::nil(),
        business_id: ids::of_business(&business_name, &address, &known.unwrap_or_default()),
        business_name,
        monitoring_types: types,
        articles: String::new(),
        created_at: Timestamp::from_micros(0),
    })
}

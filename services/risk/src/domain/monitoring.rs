//! Monitorings: the names that articles are screened for, and the alerts about them.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ids;
use crate::screening::{ArticleType, Mention};

/// A name that articles are screened for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Monitoring {
    pub(crate) id: Uuid,
    pub(crate) business_id: Uuid,
    pub(crate) business_name: String,
    pub(crate) monitoring_types: Vec<ArticleType>,
    /// The version of the articles that it was screened against.
    pub(crate) articles: String,
    pub(crate) created_at: Timestamp,
}

/// An article that mentions the name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaAlert {
    /// Its id.
    pub id: String,
    /// `news`, `social_media` or `regulatory`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The title of the article.
    pub title: String,
    /// The description of the article, as its list has it.
    pub description: String,
    /// The paper, network or authority.
    pub source: String,
    /// The address of the article; empty if the list has none.
    pub url: String,
    /// `low`, `medium`, `high` or `critical`, as the list has it.
    pub severity: String,
    /// The article in its list.
    pub article_id: String,
    /// The date of the article; empty if the list has none.
    pub published: String,
    /// The name that the article mentions.
    pub matched_name: String,
    /// How well it matches, from 0 to 1.
    pub score: f64,
    /// When the article was found.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A monitoring with its alerts, as its callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaMonitoring {
    /// The business.
    pub business_id: String,
    /// Its id.
    pub monitoring_id: String,
    /// The name that articles are screened for.
    pub business_name: String,
    /// `active`.
    pub status: String,
    /// The types of articles.
    pub monitoring_types: Vec<String>,
    /// The articles that mention the name, the newest alert first: 100 at most.
    pub alerts: Vec<MediaAlert>,
    /// When the monitoring began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl Monitoring {
    /// The monitoring with its alerts.
    pub(crate) fn shown(&self, alerts: Vec<MediaAlert>) -> MediaMonitoring {
        MediaMonitoring {
            business_id: ids::BUSINESS.show(self.business_id),
            monitoring_id: ids::MONITORING.show(self.id),
            business_name: self.business_name.clone(),
            status: "active".to_owned(),
            monitoring_types: self.monitoring_types.iter().map(|kind| word(*kind)).collect(),
            alerts,
            created_at: self.created_at,
        }
    }
}

impl MediaAlert {
    /// The alert about an article.
    pub(crate) fn of(mention: &Mention<'_>, id: Uuid, now: Timestamp) -> Self {
        let article = mention.article;
        Self {
            id: ids::ALERT.show(id),
            kind: word(article.kind),
            title: article.title.clone(),
            description: article.description.clone(),
            source: article.source.clone(),
            url: article.url.clone(),
            severity: word(article.severity),
            article_id: article.id.clone(),
            published: article.date.clone(),
            matched_name: mention.matched_name.to_owned(),
            score: mention.score,
            created_at: now,
        }
    }
}

/// The word for a value, as files and answers have it.
fn word(value: impl Serialize) -> String {
    let word = serde_json::to_value(value).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

//! Checks a business against the rules of compliance: know your customer, anti-money-laundering, and sanctions.
//!
//! The rules are in [`kyc`], [`aml`] and [`sanctions`], and in `docs-outlook.md`.

use std::sync::Arc;

use pando_service::Class;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Risk;
use crate::domain::assessment::Assessed;
use crate::domain::business::Business;
use crate::domain::compliance::{CheckStatus, CheckType, Checked, aml, aml_of_country, kyc, sanctions};
use crate::domain::countries::country;
use crate::domain::{events, ids};
use crate::ground::Ground;
use crate::screening::{Kind, Query};

/// A request that names no types has all checks.
const ALL: [CheckType; 3] = [CheckType::Kyc, CheckType::Aml, CheckType::Sanctions];

/// The outcome of the checks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComplianceCheck {
    /// An id of this check.
    pub check_id: String,
    /// The business, or the other entity.
    pub business_id: String,
    /// The worst status of all checks.
    pub compliance_status: CheckStatus,
    /// The checks.
    pub checks: Vec<Checked>,
    /// When they were made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The type of the check, or `comprehensive` for several.
    pub check_type: String,
    /// The same as `compliance_status`, for clients of the other published form.
    pub status: CheckStatus,
    /// A sentence.
    pub description: String,
    /// `low` if everything passed, `medium` with a warning, `high` if something failed.
    pub risk_level: String,
    /// The details of all checks.
    pub details: Vec<String>,
    /// The same as `created_at`, for clients of the other published form.
    #[schema(value_type = String, format = DateTime)]
    pub checked_at: Timestamp,
    /// Null: nothing checks a business again by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_check_at: Option<Timestamp>,
}

/// The one who is checked.
enum Subject {
    /// A business with everything that an assessment needs.
    Business(Box<Business>),
    /// A name, perhaps with a country.
    Entity { name: String, kind: Option<Kind>, country: Option<String> },
}

impl Risk {
    /// Checks a business or another entity. If a check fails, an event says so.
    pub async fn check_compliance(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<ComplianceCheck>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (subject, types) = read(fields)?;
            let ground = Arc::new(self.present_ground(call).await?);
            if types.contains(&CheckType::Sanctions) && !ground.can_screen() {
                return Err(Fault::new(Class::Unavailable, "no list is loaded: names cannot be screened"));
            }
            let check = match subject {
                Subject::Business(business) => self.of_business((call, ground), *business, &types).await?,
                Subject::Entity { name, kind, country } => {
                    let check = move |risk: &Self| {
                        let checks = risk.of_entity(&ground, (&name, kind, country.as_deref()), &types)?;
                        let business = ids::of_business(&name, "", country.as_deref().unwrap_or_default());
                        Ok(risk.outcome(ids::BUSINESS.show(business), checks))
                    };
                    self.searching(check).await?
                }
            };
            let mut write = turn.begin().await?;
            if check.compliance_status == CheckStatus::Failed {
                let country = fields.get("country").and_then(Value::as_str).unwrap_or_default();
                write.created(events::compliance_alert(
                    self.0.parts.clock.fresh_id(),
                    &event_of(&check, country),
                ));
            }
            write.done(check)
        });
        write.await
    }

    async fn of_business(
        &self,
        (call, ground): (&Call, Arc<Ground>),
        business: Business,
        types: &[CheckType],
    ) -> Result<ComplianceCheck, Fault> {
        let now = self.0.parts.clock.now();
        let history = self.history(call, &[&business], now).await?.into_iter().next().unwrap_or_default();
        let (call, types) = (call.clone(), types.to_vec());
        // Decided as an assessment is, and not kept.
        let check = move |risk: &Self| {
            let assessed = risk.decide((&call, &ground), business, history, now)?;
            let checks = types.iter().map(|kind| risk.check(&ground, *kind, &assessed));
            Ok(risk.outcome(ids::BUSINESS.show(assessed.business_id), checks.collect::<Result<_, Fault>>()?))
        };
        self.searching(check).await
    }

    fn check(&self, ground: &Ground, kind: CheckType, assessed: &Assessed) -> Result<Checked, Fault> {
        Ok(match kind {
            CheckType::Kyc => kyc(assessed),
            CheckType::Aml => aml(assessed),
            CheckType::Sanctions => {
                let business = &assessed.business;
                self.screened_for(ground, (&business.business_name, None, Some(&business.country)))?
            }
        })
    }

    /// Without an address and an industry, data cannot be checked, and no model can score.
    fn of_entity(
        &self,
        ground: &Ground,
        (name, kind, country): (&str, Option<Kind>, Option<&str>),
        types: &[CheckType],
    ) -> Result<Vec<Checked>, Fault> {
        let mut checks = Vec::new();
        for check in types {
            match (check, country) {
                (CheckType::Sanctions, _) => checks.push(self.screened_for(ground, (name, kind, country))?),
                (CheckType::Aml, Some(country)) => checks.push(aml_of_country(country)),
                (CheckType::Aml | CheckType::Kyc, _) => {}
            }
        }
        Ok(checks)
    }

    fn screened_for(
        &self,
        ground: &Ground,
        (name, kind, country): (&str, Option<Kind>, Option<&str>),
    ) -> Result<Checked, Fault> {
        let query = Query {
            country,
            threshold: f64::from(self.0.options.match_percent_min) / 100.0,
            ..Query::new(name)
        };
        let found = ground.search(&query).map_err(crate::screen_name::bad_query)?;
        let of_kind = found
            .iter()
            .filter(|one| kind.is_none_or(|kind| one.entry.kind == kind || one.entry.kind == Kind::Other));
        Ok(sanctions(of_kind.map(|one| (one.score, one.match_type, &one.entry.source, one.matched_name))))
    }

    fn outcome(&self, business_id: String, checks: Vec<Checked>) -> ComplianceCheck {
        let now = self.0.parts.clock.now();
        let status = checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Passed);
        let check_type = match &*checks {
            [only] => only.kind.name(),
            _ => "comprehensive",
        };
        let (risk_level, description) = match status {
            CheckStatus::Passed => ("low", "Every check passed."),
            CheckStatus::Warning => ("medium", "A person should look at the warnings."),
            CheckStatus::Failed => ("high", "A check failed."),
        };
        ComplianceCheck {
            check_id: ids::COMPLIANCE_CHECK.show(self.0.parts.clock.fresh_id()),
            business_id,
            compliance_status: status,
            created_at: now,
            check_type: check_type.to_owned(),
            status,
            description: description.to_owned(),
            risk_level: risk_level.to_owned(),
            details: checks.iter().map(|check| check.details.clone()).collect(),
            checks,
            checked_at: now,
            next_check_at: None,
        }
    }
}

/// Reads either of the published forms.
fn read(fields: &Map<String, Value>) -> Result<(Subject, Vec<CheckType>), Fault> {
    let mut reader = FieldReader::new(fields);
    let types = types(fields, &mut reader);
    if !fields.contains_key("entity_name") {
        let business = Business::read_with(fields, reader)?;
        return Ok((Subject::Business(Box::new(business)), types));
    }
    let name = fields.get("entity_name").and_then(Value::as_str).unwrap_or_default().trim();
    if !(1..=255).contains(&name.chars().count()) {
        reader.refuse("entity_name", "INVALID_BUSINESS_NAME", "must have 1 to 255 characters");
    }
    let kind = match fields.get("entity_type").map(Value::as_str) {
        None => None,
        Some(Some("individual")) => Some(Kind::Person),
        Some(Some("organization")) => Some(Kind::Organization),
        Some(Some("vessel")) => Some(Kind::Vessel),
        Some(Some("aircraft")) => Some(Kind::Aircraft),
        Some(_) => {
            let message = "must be individual, organization, vessel or aircraft";
            reader.refuse("entity_type", "INVALID_INPUT", message);
            None
        }
    };
    let country = match fields.get("country") {
        None | Some(Value::Null) => None,
        Some(given) => {
            let known = given.as_str().and_then(country);
            if known.is_none() {
                let message = "must be a country of ISO 3166 in two letters";
                reader.refuse("country", "INVALID_COUNTRY", message);
            }
            known
        }
    };
    if fields.contains_key("compliance_types") && types.contains(&CheckType::Kyc) {
        let message = "kyc needs a whole business: business_name, business_address, industry and country";
        reader.refuse("compliance_types", "INVALID_INPUT", message);
    }
    if types == [CheckType::Aml] && country.is_none() {
        reader.refuse("country", "INVALID_COUNTRY", "is required for aml");
    }
    reader.finish()?;
    Ok((Subject::Entity { name: name.to_owned(), kind, country }, types))
}

fn types(fields: &Map<String, Value>, reader: &mut FieldReader<'_>) -> Vec<CheckType> {
    let items = match fields.get("compliance_types") {
        None | Some(Value::Null) => return ALL.to_vec(),
        Some(items) => items.as_array().filter(|items| (1..=ALL.len()).contains(&items.len())),
    };
    let read = |item: &Value| serde_json::from_value::<CheckType>(item.clone()).ok();
    let types: Option<Vec<CheckType>> = items.and_then(|items| items.iter().map(read).collect());
    if types.is_none() {
        reader.refuse("compliance_types", "INVALID_INPUT", "must be one to three of kyc, aml and sanctions");
    }
    let mut types = types.unwrap_or_default();
    types.sort_unstable();
    types.dedup();
    types
}

fn event_of(check: &ComplianceCheck, country: &str) -> events::ComplianceAlert {
    let failed = check.checks.iter().filter(|one| one.status == CheckStatus::Failed);
    events::ComplianceAlert {
        id: check.check_id.clone(),
        business_id: check.business_id.clone(),
        country: country.trim().to_ascii_uppercase(),
        compliance_status: check.compliance_status,
        failed_checks: failed.map(|one| one.kind).collect(),
    }
}

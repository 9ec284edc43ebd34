//! The features of the models, in the order that every file of a model has them in.
//!
//! `models/features.json` says the same to the training; a test compares both.

/// How many features there are.
pub const FEATURE_COUNT: usize = 35;

/// The position of the horizon among the features.
pub(super) const HORIZON: usize = 18;

/// The values of all features, in the order of [`FEATURES`]. A missing value is NaN.
pub type Features = [f64; FEATURE_COUNT];

/// The description of a feature.
#[derive(Debug, PartialEq)]
pub struct FeatureSpec {
    /// Its name, as models, cards and answers have it.
    pub name: &'static str,
    /// The thing that it counts or measures.
    pub description: &'static str,
    /// The least and the greatest value. A value outside counts as the nearer of them.
    pub range: [f64; 2],
    /// Values are rounded to whole steps, of which one unit has so many.
    pub steps_per_unit: f64,
    /// When the value is missing. Each split of a tree says which way a missing value goes.
    pub missing: &'static str,
}

/// All features.
pub const FEATURES: [FeatureSpec; FEATURE_COUNT] = [
    feature("name_length", [0.0, 255.0], 1.0, "never missing", "Characters of the business's name."),
    feature(
        "name_digit_share",
        [0.0, 1.0],
        1000.0,
        "never missing",
        "Share of digits among the letters and digits of the name.",
    ),
    feature(
        "name_uppercase_share",
        [0.0, 1.0],
        1000.0,
        "the name has no letter with a case",
        "Share of capitals among the letters of the name that have a case.",
    ),
    feature(
        "name_legal_form",
        [0.0, 1.0],
        1.0,
        "never missing",
        "1 if the last or first word of the name is a legal form, such as Ltd or GmbH.",
    ),
    feature("address_length", [0.0, 500.0], 1.0, "never missing", "Characters of the address."),
    feature(
        "address_parts",
        [0.0, 12.0],
        1.0,
        "never missing",
        "Parts of the address between commas, semicolons and line ends.",
    ),
    feature("address_has_number", [0.0, 1.0], 1.0, "never missing", "1 if the address has a digit."),
    feature(
        "industry_group",
        [1.0, 10.0],
        1.0,
        "never missing",
        "Group of the industry: 1 technology, 2 financial, 3 healthcare, 4 manufacturing, 5 retail, 6 real estate, 7 energy, 8 transportation, 9 education, 10 any other.",
    ),
    feature(
        "country_group",
        [0.0, 2.0],
        1.0,
        "never missing",
        "2 if FATF calls for action against the country, 1 if the country is under FATF's increased monitoring (lists of 13 June 2025), 0 otherwise.",
    ),
    feature("phone_present", [0.0, 1.0], 1.0, "never missing", "1 if a phone number is given."),
    feature(
        "phone_matches_country",
        [0.0, 1.0],
        1.0,
        "no phone number, or a country whose calling code is not known",
        "1 if the phone number begins with the calling code of the country.",
    ),
    feature("email_present", [0.0, 1.0], 1.0, "never missing", "1 if an email address is given."),
    feature(
        "email_free_domain",
        [0.0, 1.0],
        1.0,
        "no email address",
        "1 if the domain of the email address gives addresses to anyone, such as gmail.com.",
    ),
    feature("website_present", [0.0, 1.0], 1.0, "never missing", "1 if a website is given."),
    feature(
        "email_matches_website",
        [0.0, 1.0],
        1.0,
        "no email address or no website",
        "1 if the email address and the website have the same domain, subdomains included.",
    ),
    feature(
        "annual_revenue_log",
        [0.0, 12.0],
        100.0,
        "no annual_revenue in the metadata, or a negative one",
        "log10(1 + annual_revenue) of the metadata.",
    ),
    feature(
        "employee_count_log",
        [0.0, 7.0],
        100.0,
        "no employee_count in the metadata, or a negative one",
        "log10(1 + employee_count) of the metadata.",
    ),
    feature(
        "years_in_business",
        [0.0, 200.0],
        10.0,
        "no years_in_business in the metadata, or a negative one",
        "years_in_business of the metadata.",
    ),
    feature(
        "horizon_months",
        [0.0, 24.0],
        1.0,
        "never missing",
        "Months that the prediction looks ahead; 0 is now.",
    ),
    feature(
        "assessed_1h",
        [0.0, 1000.0],
        1.0,
        "never missing",
        "Assessments of this business in the last hour, without this one.",
    ),
    feature(
        "assessed_24h",
        [0.0, 1000.0],
        1.0,
        "never missing",
        "Assessments of this business in the last 24 hours, without this one.",
    ),
    feature(
        "assessed_7d",
        [0.0, 1000.0],
        1.0,
        "never missing",
        "Assessments of this business in the last 7 days, without this one.",
    ),
    feature(
        "same_address_7d",
        [0.0, 1000.0],
        1.0,
        "never missing",
        "Other businesses of the tenant assessed with the same address in the last 7 days.",
    ),
    feature(
        "same_phone_7d",
        [0.0, 1000.0],
        1.0,
        "no phone number",
        "Other businesses of the tenant assessed with the same phone number in the last 7 days.",
    ),
    feature(
        "same_email_7d",
        [0.0, 1000.0],
        1.0,
        "no email address",
        "Other businesses of the tenant assessed with the same email address in the last 7 days.",
    ),
    feature(
        "list_hits",
        [0.0, 100.0],
        1.0,
        "the name was not screened",
        "Entries of lists that the name matches.",
    ),
    feature(
        "list_best_score",
        [0.0, 1.0],
        1000.0,
        "the name was not screened, or nothing matched",
        "Score of the best match.",
    ),
    feature("earlier_count", [0.0, 10000.0], 1.0, "never missing", "Earlier assessments of this business."),
    feature(
        "last_score",
        [0.0, 1.0],
        1000.0,
        "no earlier assessment",
        "Risk score of the last earlier assessment.",
    ),
    feature(
        "days_since_last",
        [0.0, 3650.0],
        10.0,
        "no earlier assessment",
        "Days since the last earlier assessment.",
    ),
    feature(
        "mean_score",
        [0.0, 1.0],
        1000.0,
        "no earlier assessment",
        "Mean risk score of the earlier assessments.",
    ),
    feature(
        "score_spread",
        [0.0, 1.0],
        1000.0,
        "fewer than two earlier assessments",
        "Standard deviation of the earlier risk scores (of the whole, not of a sample).",
    ),
    feature(
        "score_trend",
        [-1.0, 1.0],
        1000.0,
        "fewer than two earlier assessments, or all at one time",
        "Slope of the line of least squares through the earlier risk scores, for 30 days.",
    ),
    feature(
        "days_since_first",
        [0.0, 3650.0],
        10.0,
        "no earlier assessment",
        "Days since the first earlier assessment.",
    ),
    feature(
        "assessed_per_month",
        [0.0, 500.0],
        100.0,
        "no earlier assessment",
        "Earlier assessments for each 30 days since the first, which count as 30 days at least.",
    ),
];

const fn feature(
    name: &'static str,
    range: [f64; 2],
    steps_per_unit: f64,
    missing: &'static str,
    description: &'static str,
) -> FeatureSpec {
    FeatureSpec { name, description, range, steps_per_unit, missing }
}

impl FeatureSpec {
    /// The value within the range, rounded to a whole step. NaN stays NaN.
    pub fn value(&self, value: f64) -> f64 {
        let [least, greatest] = self.range;
        (value.clamp(least, greatest) * self.steps_per_unit).round_ties_even() / self.steps_per_unit
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_code_and_the_training_have_the_same_features() {
        let file: Value = serde_json::from_str(include_str!("../../models/features.json")).unwrap();
        let listed = file["features"].as_array().unwrap();
        assert_eq!(listed.len(), FEATURE_COUNT);
        for (spec, listed) in FEATURES.iter().zip(listed) {
            assert_eq!(spec.name, listed["name"].as_str().unwrap());
            assert_eq!(spec.description, listed["description"].as_str().unwrap());
            assert_eq!(spec.missing, listed["missing"].as_str().unwrap());
            assert_eq!(spec.steps_per_unit, listed["steps_per_unit"].as_f64().unwrap());
            assert_eq!(spec.range, ["min", "max"].map(|end| listed[end].as_f64().unwrap()));
        }
        assert_eq!(FEATURES[HORIZON].name, "horizon_months");
    }

    #[test]
    fn a_value_is_put_into_the_range_and_onto_a_step() {
        let spec = feature("share", [-1.0, 1.0], 1000.0, "", "");
        for (value, expected) in [(0.12345, 0.123), (7.0, 1.0), (-7.0, -1.0), (f64::INFINITY, 1.0)] {
            assert_eq!(spec.value(value), expected);
        }
        assert!(spec.value(f64::NAN).is_nan());
    }
}

//! From a business and its history to the features.

use super::countries::{calling_code, country_group};
use super::feature_list::{FEATURE_COUNT, FEATURES, Features};
use super::industries::industry_group;
use super::texts::{Name, address_parts, email_domain, is_free_domain, same_domain, website_host};

/// All that the features are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The request.
    pub business: BusinessInputs<'a>,
    /// The history that was stored before it.
    pub history: HistoryInputs,
}

/// The business as the request describes it, checked by the service already.
#[derive(Clone, Copy, Debug, Default)]
pub struct BusinessInputs<'a> {
    /// `business_name`.
    pub name: &'a str,
    /// `business_address`.
    pub address: &'a str,
    /// `industry`.
    pub industry: &'a str,
    /// `country`, ISO 3166 alpha-2, in any case.
    pub country: &'a str,
    /// `phone` as E.164.
    pub phone: Option<&'a str>,
    /// `email`.
    pub email: Option<&'a str>,
    /// `website`.
    pub website: Option<&'a str>,
    /// `annual_revenue` of the metadata.
    pub annual_revenue: Option<f64>,
    /// `employee_count` of the metadata.
    pub employee_count: Option<f64>,
    /// `years_in_business` of the metadata.
    pub years_in_business: Option<f64>,
    /// `prediction_horizon`.
    pub horizon_months: u8,
}

/// The stored history of the business, and about others of its tenant, before this assessment.
#[derive(Clone, Copy, Debug, Default)]
pub struct HistoryInputs {
    /// Assessments of this business in the last hour.
    pub assessed_1h: u32,
    /// Assessments of this business in the last 24 hours.
    pub assessed_24h: u32,
    /// Assessments of this business in the last 7 days.
    pub assessed_7d: u32,
    /// Other businesses of the tenant with the same address in the last 7 days.
    pub same_address_7d: u32,
    /// Other businesses of the tenant with the same phone number in the last 7 days.
    pub same_phone_7d: u32,
    /// Other businesses of the tenant with the same email address in the last 7 days.
    pub same_email_7d: u32,
    /// The lists' answer; `None` if the name was not screened.
    pub screened: Option<Screened>,
    /// A summary of the earlier assessments; `None` if this is the first one.
    pub earlier: Option<Earlier>,
}

/// The outcome of a screening.
#[derive(Clone, Copy, Debug)]
pub struct Screened {
    /// Entries that match.
    pub hits: u32,
    /// The score of the best match; ignored if nothing matches.
    pub best_score: f64,
}

/// A summary of earlier assessments of a business.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Earlier {
    /// How many there are.
    pub count: u32,
    /// The score of the last one.
    pub last_score: f64,
    /// Days since the last one.
    pub days_since_last: f64,
    /// Days since the first one.
    pub days_since_first: f64,
    /// The mean of the scores.
    pub mean_score: f64,
    /// The standard deviation of the scores; NaN for one score.
    pub score_spread: f64,
    /// The slope of the line of least squares through the scores, for 30 days; NaN if there is none.
    pub score_trend: f64,
}

impl Earlier {
    /// The summary of scores with their ages in days, in any order; `None` if there are none.
    pub fn of(scores: &[(f64, f64)]) -> Option<Self> {
        let (days_since_last, last_score) = scores.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0))?;
        let days_since_first = scores.iter().map(|(days, _)| *days).fold(days_since_last, f64::max);
        let count = u32::try_from(scores.len()).unwrap_or(u32::MAX);
        let mean = |of: &dyn Fn(f64, f64) -> f64| {
            scores.iter().map(|(days, score)| of(*days, *score)).sum::<f64>() / f64::from(count)
        };
        let (mean_days, mean_score) = (mean(&|days, _| days), mean(&|_, score| score));
        let squares = mean(&|days, _| (days - mean_days).powi(2));
        let slope = mean(&|days, score| (days - mean_days) * (score - mean_score)) / squares;
        let spread = mean(&|_, score| (score - mean_score).powi(2)).sqrt();
        Some(Self {
            count,
            last_score,
            days_since_last,
            days_since_first,
            mean_score,
            score_spread: if count > 1 { spread } else { f64::NAN },
            // Days count backwards, hence the sign.
            score_trend: if squares > 0.0 { -30.0 * slope } else { f64::NAN },
        })
    }
}

/// The features of a business with its history, within their ranges and on their steps.
pub fn features(inputs: &Inputs<'_>) -> Features {
    let mut values = [f64::NAN; FEATURE_COUNT];
    let (of_business, of_history) = (business(&inputs.business), history(&inputs.history, &inputs.business));
    let filled = of_business.into_iter().chain(of_history);
    for ((value, spec), filled) in values.iter_mut().zip(&FEATURES).zip(filled) {
        *value = spec.value(filled);
    }
    values
}

/// The features of the request, in the order of the list.
fn business(inputs: &BusinessInputs<'_>) -> [f64; 19] {
    let name = Name::read(inputs.name);
    let email_domain = inputs.email.and_then(email_domain);
    let website_host = inputs.website.and_then(website_host);
    let phone_matches = inputs
        .phone
        .zip(calling_code(inputs.country))
        .map(|(phone, code)| phone.strip_prefix('+').is_some_and(|digits| digits.starts_with(code)));
    let same = email_domain.zip(website_host).map(|(email, website)| same_domain(email, website));
    let log = |value: Option<f64>| maybe(value.filter(|it| *it >= 0.0).map(|value| (1.0 + value).log10()));
    [
        count(inputs.name.chars().count()),
        name.digit_share,
        name.uppercase_share,
        yes(name.has_legal_form),
        count(inputs.address.chars().count()),
        count(address_parts(inputs.address)),
        yes(inputs.address.chars().any(char::is_numeric)),
        f64::from(industry_group(inputs.industry)),
        f64::from(country_group(inputs.country)),
        yes(inputs.phone.is_some()),
        maybe(phone_matches.map(yes)),
        yes(inputs.email.is_some()),
        maybe(email_domain.map(|domain| yes(is_free_domain(domain)))),
        yes(inputs.website.is_some()),
        maybe(same.map(yes)),
        log(inputs.annual_revenue),
        log(inputs.employee_count),
        maybe(inputs.years_in_business.filter(|years| *years >= 0.0)),
        f64::from(inputs.horizon_months),
    ]
}

/// The features of what was stored, in the order of the list.
fn history(inputs: &HistoryInputs, business: &BusinessInputs<'_>) -> [f64; 16] {
    let earlier = inputs.earlier;
    let of_earlier = |read: &dyn Fn(&Earlier) -> f64| maybe(earlier.as_ref().map(read));
    let best = inputs.screened.filter(|screened| screened.hits > 0).map(|screened| screened.best_score);
    [
        f64::from(inputs.assessed_1h),
        f64::from(inputs.assessed_24h),
        f64::from(inputs.assessed_7d),
        f64::from(inputs.same_address_7d),
        maybe(business.phone.map(|_| f64::from(inputs.same_phone_7d))),
        maybe(business.email.map(|_| f64::from(inputs.same_email_7d))),
        maybe(inputs.screened.map(|screened| f64::from(screened.hits))),
        maybe(best),
        f64::from(earlier.map_or(0, |earlier| earlier.count)),
        of_earlier(&|earlier| earlier.last_score),
        of_earlier(&|earlier| earlier.days_since_last),
        of_earlier(&|earlier| earlier.mean_score),
        of_earlier(&|earlier| earlier.score_spread),
        of_earlier(&|earlier| earlier.score_trend),
        of_earlier(&|earlier| earlier.days_since_first),
        of_earlier(&|earlier| f64::from(earlier.count) / (earlier.days_since_first / 30.0).max(1.0)),
    ]
}

fn yes(it: bool) -> f64 {
    f64::from(u8::from(it))
}

fn maybe(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &Features, name: &str) -> f64 {
        values[FEATURES.iter().position(|spec| spec.name == name).unwrap()]
    }

    const BUSINESS: BusinessInputs<'static> = BusinessInputs {
        name: "Müller & Söhne GmbH",
        address: "Hauptstraße 5, 10115 Berlin, Germany",
        industry: "Manufacturing",
        country: "de",
        phone: Some("+493012345678"),
        email: Some("office@mail.mueller.example"),
        website: Some("https://www.mueller.example/about"),
        annual_revenue: Some(999_999.0),
        employee_count: None,
        years_in_business: Some(12.34),
        horizon_months: 3,
    };

    #[test]
    fn a_whole_request_fills_every_feature_of_the_business() {
        let values = features(&Inputs { business: BUSINESS, history: HistoryInputs::default() });
        for (name, expected) in [
            ("name_length", 19.0),
            ("name_digit_share", 0.0),
            ("name_uppercase_share", 0.267),
            ("name_legal_form", 1.0),
            ("address_length", 36.0),
            ("address_parts", 3.0),
            ("address_has_number", 1.0),
            ("industry_group", 4.0),
            ("country_group", 0.0),
            ("phone_matches_country", 1.0),
            ("email_free_domain", 0.0),
            ("email_matches_website", 1.0),
            ("annual_revenue_log", 6.0),
            ("years_in_business", 12.3),
            ("horizon_months", 3.0),
            ("same_phone_7d", 0.0),
            ("earlier_count", 0.0),
        ] {
            assert_eq!(named(&values, name), expected, "{name}");
        }
        for name in ["employee_count_log", "list_hits", "list_best_score", "last_score", "score_trend"] {
            assert!(named(&values, name).is_nan(), "{name}");
        }
    }

    #[test]
    fn a_request_without_contacts_says_nothing_about_them() {
        let business = BusinessInputs { phone: None, email: None, website: None, ..BUSINESS };
        let values = features(&Inputs { business, history: HistoryInputs::default() });
        for name in ["phone_present", "email_present", "website_present"] {
            assert_eq!(named(&values, name), 0.0);
        }
        for name in ["phone_matches_country", "email_free_domain", "email_matches_website", "same_phone_7d"] {
            assert!(named(&values, name).is_nan(), "{name}");
        }
    }

    #[test]
    fn the_summary_of_a_history_is_the_same_in_any_order() {
        let rising = [(60.0, 0.2), (30.0, 0.3), (0.0, 0.4)];
        let earlier = Earlier::of(&rising).unwrap();
        assert_eq!((earlier.count, earlier.last_score, earlier.days_since_first), (3, 0.4, 60.0));
        assert!((earlier.score_trend - 0.1).abs() < 1e-12);
        assert!((earlier.mean_score - 0.3).abs() < 1e-12);
        let turned = Earlier::of(&[rising[2], rising[0], rising[1]]).unwrap();
        assert_eq!(turned.last_score, earlier.last_score);
        let history = HistoryInputs {
            earlier: Some(earlier),
            screened: Some(Screened { hits: 2, best_score: 0.91 }),
            ..HistoryInputs::default()
        };
        let values = features(&Inputs { business: BUSINESS, history });
        assert_eq!(named(&values, "score_trend"), 0.1);
        assert_eq!(named(&values, "assessed_per_month"), 1.5);
        assert_eq!(named(&values, "list_best_score"), 0.91);
    }

    #[test]
    fn one_score_has_no_trend_and_no_score_has_no_summary() {
        assert_eq!(Earlier::of(&[]), None);
        let one = Earlier::of(&[(3.0, 0.5)]).unwrap();
        assert!(one.score_trend.is_nan() && one.score_spread.is_nan());
        assert_eq!((one.days_since_last, one.days_since_first), (3.0, 3.0));
    }
}

//! Money: whole numbers of the smallest unit of a currency. No amount is ever a binary fraction on its way through the shop.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

/// A number of fifteen digits is written and read exactly, whichever way JSON is read.
const DIGITS_MAX: u32 = 15;
/// The largest amount, in the smallest unit.
pub(crate) const MINOR_MAX: i64 = 999_999_999_999_999;

/// The currencies, and how many digits stand behind the point of an amount (ISO 4217). Currencies that are not listed have two.
const OTHER_DIGITS: [(&str, u32); 24] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// A currency: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// An amount in a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// In the smallest unit of the currency.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

/// An amount as answers have it: a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    minor: i64,
    digits: u32,
}

/// A text that is no currency, or a number that is no amount in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// No currency is written like this.
    #[error("must be a currency: three capital letters")]
    Currency,
    /// There are more digits behind the point than the currency has.
    #[error("must have at most {0} digits behind the point")]
    TooFine(u32),
    /// No number, or one without end.
    #[error("must be a number")]
    NotANumber,
    /// More than fifteen digits.
    #[error("must be between -{MINOR_MAX} and {MINOR_MAX} of the smallest unit")]
    TooLarge,
}

impl Currency {
    /// The currency of this code.
    pub fn parse(code: &str) -> Result<Self, BadMoney> {
        let letters: [u8; 3] = code.as_bytes().try_into().map_err(|_| BadMoney::Currency)?;
        match letters.iter().all(u8::is_ascii_uppercase) {
            true => Ok(Self(letters)),
            false => Err(BadMoney::Currency),
        }
    }

    /// The currency of a code in a table.
    pub(crate) fn stored(code: &str) -> Option<Self> {
        Self::parse(code).ok()
    }

    /// Its code.
    pub fn code(&self) -> &str {
        // Capital letters are valid UTF-8.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits stand behind the point.
    pub fn digits(self) -> u32 {
        let other = OTHER_DIGITS.iter().find(|(code, _)| *code == self.code());
        other.map_or(2, |(_, digits)| *digits)
    }
}

impl Money {
    /// So many of the smallest unit.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount that a caller wrote as a JSON number, or as a text.
    pub fn read(value: &serde_json::Value, currency: Currency) -> Result<Self, BadMoney> {
        let text = match value {
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => text.clone(),
            _ => return Err(BadMoney::NotANumber),
        };
        Ok(Self { minor: scaled(&text, currency.digits())?, currency })
    }

    /// As answers have it.
    pub fn decimal(self) -> Decimal {
        Decimal { minor: self.minor, digits: self.currency.digits() }
    }

    /// The amount so many times; none if it is too large.
    pub fn times(self, count: i64) -> Option<Self> {
        let minor = self.minor.checked_mul(count).filter(|minor| minor.abs() <= MINOR_MAX)?;
        Some(Self { minor, ..self })
    }

    /// Both amounts; none if they are of different currencies, or the sum is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_add(other.minor).filter(|minor| minor.abs() <= MINOR_MAX)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }
}

impl Decimal {
    /// An amount with so many digits behind the point.
    pub fn new(minor: i64, digits: u32) -> Self {
        Self { minor, digits }
    }
}

/// Reads a decimal number as a whole number of units of which each is the `digits`th tenth of one.
pub(crate) fn scaled(text: &str, digits: u32) -> Result<i64, BadMoney> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| BadMoney::NotANumber)?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || !(-40..=40).contains(&exponent) {
        return Err(BadMoney::NotANumber);
    }
    // Where the point stands, counted from the left of all digits.
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).map_err(|_| BadMoney::TooLarge)? + i64::from(exponent);
    let wanted = point + i64::from(digits);
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let Ok(wanted) = usize::try_from(wanted) else { return Err(BadMoney::TooFine(digits)) };
    if significant.len() > wanted {
        return Err(BadMoney::TooFine(digits));
    }
    let number = format!("{significant:0<wanted$}");
    let number = number.trim_start_matches('0');
    if number.len() > DIGITS_MAX as usize {
        return Err(BadMoney::TooLarge);
    }
    let minor: i64 = number.parse().map_err(|_| BadMoney::TooLarge)?;
    Ok(if negative { -minor } else { minor })
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(self.digits);
        let (whole, rest) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        let sign = if self.minor < 0 { "-" } else { "" };
        match self.digits {
            0 => write!(f, "{sign}{whole}"),
            digits => write!(f, "{sign}{whole}.{rest:0width$}", width = digits as usize),
        }
    }
}

/// As a number of at most fifteen digits, which every reader of JSON gets exactly.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = 10_i64.pow(self.digits);
        match self.minor % unit {
            0 => serializer.serialize_i64(self.minor / unit),
            _ => serializer.serialize_f64(self.to_string().parse().unwrap_or_default()),
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Number::deserialize(deserializer)?.to_string();
        let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len().min(6));
        let digits = u32::try_from(digits).unwrap_or_default();
        let minor = scaled(&text, digits).map_err(D::Error::custom)?;
        Ok(Self { minor, digits })
    }
}

impl utoipa::PartialSchema for Decimal {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        f64::schema()
    }
}

impl utoipa::ToSchema for Decimal {}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn money(value: Value, code: &str) -> Result<i64, BadMoney> {
        Money::read(&value, Currency::parse(code).unwrap()).map(|money| money.minor)
    }

    #[test]
    fn amounts_are_read_in_the_digits_of_their_currency() {
        for (value, code, minor) in [
            (json!(29.99), "USD", 2_999),
            (json!("29.990"), "USD", 2_999),
            (json!(30), "USD", 3_000),
            (json!(0.1), "EUR", 10),
            (json!(-0.07), "EUR", -7),
            (json!(1e3), "JPY", 1_000),
            (json!(1.5), "KWD", 1_500),
            (json!(0), "KWD", 0),
            (json!(9_999_999_999_999.99), "USD", MINOR_MAX),
        ] {
            assert_eq!(money(value.clone(), code), Ok(minor), "{value} {code}");
        }
        for (value, code, error) in [
            (json!(29.999), "USD", BadMoney::TooFine(2)),
            (json!(0.5), "JPY", BadMoney::TooFine(0)),
            (json!(1e-30), "JPY", BadMoney::TooFine(0)),
            (json!(10_000_000_000_000_i64), "USD", BadMoney::TooLarge),
            (json!(1e300), "USD", BadMoney::NotANumber),
            (json!("1,5"), "USD", BadMoney::NotANumber),
            (json!(""), "USD", BadMoney::NotANumber),
            (json!("."), "USD", BadMoney::NotANumber),
            (json!(true), "USD", BadMoney::NotANumber),
        ] {
            assert_eq!(money(value.clone(), code), Err(error), "{value} {code}");
        }
        for code in ["usd", "US", "USDT", "U$D", ""] {
            assert_eq!(Currency::parse(code), Err(BadMoney::Currency));
        }
    }

    proptest! {
        /// Through JSON and back, in each number of digits, with the reader that others use: binary fractions.
        #[test]
        fn no_amount_changes_on_its_way_through_json(
            minor in -MINOR_MAX..=MINOR_MAX,
            code in prop::sample::select(vec!["USD", "JPY", "KWD"]),
        ) {
            let money = Money::new(minor, Currency::parse(code).unwrap());
            let text = serde_json::to_string(&money.decimal()).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(Money::read(&value, money.currency), Ok(money));
            let again: Decimal = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
        }
    }
}

//! Phone numbers: kept as they were given, and in one form where that can be told.

use pando_service::BadText;

/// The longest number as it was given.
const CHARS_MAX: usize = 50;

/// Checks a number: digits, and the signs that people put between them. Empty means that there is none.
pub(crate) fn check(text: &str) -> Result<(), BadText> {
    if text.chars().count() > CHARS_MAX {
        return Err(BadText::too_long(CHARS_MAX));
    }
    let known = |letter: char| letter.is_ascii_digit() || "+ ()-./#,;x\u{a0}".contains(letter);
    if !text.is_empty()
        && (!text.chars().all(known) || !text.contains(|letter: char| letter.is_ascii_digit()))
    {
        return Err(BadText::value("must be a phone number such as +41 44 668 18 00"));
    }
    Ok(())
}

/// The number in the form of E.164, if it has a country code: a plus sign and 7 to 15 digits.
pub(crate) fn e164(text: &str) -> Option<String> {
    let number = text.trim().strip_prefix('+')?;
    // "+44 (0)20 …": the zero is for calls within the country.
    let letters = number.split("(0)").flat_map(str::chars);
    let mut one = String::with_capacity(1 + number.len());
    one.push('+');
    one.extend(letters.filter(|letter| !matches!(letter, ' ' | '(' | ')' | '-' | '.' | '/' | '\u{a0}')));
    let digits = &one.as_bytes()[1..];
    let is_number =
        (7..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0';
    is_number.then_some(one)
}

/// The form in which two numbers are compared: E.164, or the digits alone.
pub(crate) fn key(text: &str) -> String {
    e164(text).unwrap_or_else(|| text.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_one_form_where_they_have_a_country() {
        for (given, one) in [
            ("+55 (12) 3923-5555", Some("+551239235555")),
            ("+44 (0)20 7707 0707", Some("+442077070707")),
            ("+49 0711 2842222", Some("+4907112842222")),
            ("+420 2 4172 5555", Some("+420241725555")),
            ("044 668 18 00", None),
            ("+0 12345678", None),
            ("+12", None),
            ("+41 44 668 18 00 x12", None),
        ] {
            assert_eq!(e164(given).as_deref(), one, "{given}");
            assert!(check(given).is_ok(), "{given}");
        }
        assert_eq!(key("+55 (12) 3923-5555"), key("+551239235555"));
        assert_eq!(key("044 668 18 00"), "0446681800");
        assert!(check("").is_ok());
        for bad in ["call me", "()", "1\n2", &"1".repeat(51)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}

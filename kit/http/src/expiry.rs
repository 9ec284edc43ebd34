//! The end of a certificate's validity. rustls checks it for certificates of others, and does not tell it for one's own.

/// The tags of DER that lead to it.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When the certificate ends, in seconds since 1970; `None` if this is no certificate of X.509.
pub(crate) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        fields = skip(fields)?;
    }
    // The serial number, the algorithm of the signature, the issuer.
    for _ in 0..3 {
        fields = skip(fields)?;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    seconds(skip(validity)?)
}

/// The content of the first element, and the bytes behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let digits = usize::from(first & 0x7f);
        // No certificate needs more than three bytes for a length.
        let (written, behind) = rest.split_at_checked(digits).filter(|_| (1..=3).contains(&digits))?;
        length = written.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = behind;
    }
    rest.split_at_checked(length).filter(|_| found == tag)
}

fn skip(der: &[u8]) -> Option<&[u8]> {
    Some(element(der, *der.first()?)?.1)
}

/// A time as RFC 5280 has it: to the second, in UTC.
fn seconds(der: &[u8]) -> Option<i64> {
    let (text, century) = match *der.first()? {
        UTC_TIME => (element(der, UTC_TIME)?.0, None),
        GENERALIZED_TIME => {
            let (century, text) = element(der, GENERALIZED_TIME)?.0.split_at_checked(2)?;
            (text, Some(number(century)?))
        }
        _ => return None,
    };
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.len() == 12)?;
    let mut parts = digits.chunks(2).map(number);
    let mut next = || parts.next().flatten();
    let (year, month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?, next()?);
    // RFC 5280, 4.1.2.5.1: two digits of a year are 1950 to 2049.
    let century = century.unwrap_or(if year < 50 { 20 } else { 19 });
    let sane =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    sane.then(|| days(century * 100 + year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

/// Days since 1970-01-01. Years begin in March here, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(tag: u8, text: &str) -> Vec<u8> {
        [&[tag, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    }

    #[test]
    fn times_of_both_forms_are_read() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "000229235959Z", Some(951_868_799)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, "2050010100000Z", None),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "70010100000+Z", None),
            (UTC_TIME, "700101000000", None),
            (SEQUENCE, "700101000000Z", None),
        ] {
            assert_eq!(seconds(&time(tag, text)), expected, "{text}");
        }
    }

    #[test]
    fn every_beginning_of_a_certificate_is_refused_without_a_panic() {
        let validity = [time(UTC_TIME, "000101000000Z"), time(UTC_TIME, "300101000000Z")].concat();
        let wrap =
            |content: &[u8]| [&[SEQUENCE, 0x81, u8::try_from(content.len()).unwrap()], content].concat();
        let fields = [&[VERSION, 1, 2, 2, 1, 7, SEQUENCE, 0, SEQUENCE, 0][..], &wrap(&validity)].concat();
        let whole = wrap(&wrap(&fields));
        assert_eq!(not_after(&whole), Some(1_893_456_000));
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None);
        }
    }
}

//! Readings of names, addresses and contacts for the features.

/// Legal forms, in small letters and without dots.
const LEGAL_FORMS: &str = " ab ag aps as asa bv bvba co company corp corporation cv doo eg eirl eood gbr gesmbh gmbh inc \
    incorporated kft kg kk lda limited llc llp lp ltd ltda mbh nv oao ohg ood ooo oy oyj plc pllc pte pty pvt sa sab sarl sas \
    sasu scs se sia sl slu snc spa spol spzoo srl srls sro ug uab zao zrt ";

/// Domains that give email addresses to anyone.
const FREE_DOMAINS: &str = " 126.com 163.com aol.com foxmail.com gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com \
    hotmail.co.uk hotmail.com hotmail.de hotmail.fr icloud.com laposte.net libero.it live.com mail.com mail.ru me.com msn.com \
    naver.com orange.fr outlook.com outlook.de proton.me protonmail.com qq.com rediffmail.com sina.com t-online.de tutanota.com \
    web.de yahoo.co.jp yahoo.co.uk yahoo.com yahoo.de yahoo.fr yandex.com yandex.ru ymail.com zoho.com ";

/// The features of a name.
pub(super) struct Name {
    pub(super) digit_share: f64,
    /// NaN if no letter has a case.
    pub(super) uppercase_share: f64,
    pub(super) has_legal_form: bool,
}

impl Name {
    pub(super) fn read(name: &str) -> Self {
        let [mut digits, mut letters, mut capitals, mut small] = [0_u32; 4];
        for letter in name.chars() {
            digits += u32::from(letter.is_numeric());
            letters += u32::from(letter.is_alphabetic());
            capitals += u32::from(letter.is_uppercase());
            small += u32::from(letter.is_lowercase());
        }
        let mut words = name.split([' ', ',', '(', ')']).filter(|word| !word.is_empty());
        let (first, last) = (words.next(), words.next_back());
        Self {
            digit_share: f64::from(digits) / f64::from((digits + letters).max(1)),
            // Without any such letter it is 0 / 0, which is NaN.
            uppercase_share: f64::from(capitals) / f64::from(capitals + small),
            // One word alone is a name.
            has_legal_form: last.is_some() && [first, last].into_iter().flatten().any(is_legal_form),
        }
    }
}

fn is_legal_form(word: &str) -> bool {
    let word: String = word.chars().filter(|letter| !".&/-".contains(*letter)).collect();
    is_listed(LEGAL_FORMS, &word)
}

/// Parts between commas, semicolons and line ends.
pub(super) fn address_parts(address: &str) -> usize {
    address.split([',', ';', '\n']).filter(|part| !part.trim().is_empty()).count()
}

pub(super) fn email_domain(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

/// The host of an address such as `https://www.example.com:443/about`.
pub(super) fn website_host(website: &str) -> Option<&str> {
    let (_, rest) = website.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    host.split(':').next().filter(|host| !host.is_empty())
}

pub(super) fn is_free_domain(domain: &str) -> bool {
    is_listed(FREE_DOMAINS, domain)
}

/// Whether one of two domains is the other, or is below it.
pub(super) fn same_domain(email: &str, website: &str) -> bool {
    let site = if is_below(website, "www") { &website[4..] } else { website };
    let (long, short) = if email.len() < site.len() { (site, email) } else { (email, site) };
    let Some(start) = long.len().checked_sub(short.len()) else { return false };
    let ends_alike = long.is_char_boundary(start) && long[start..].eq_ignore_ascii_case(short);
    // A domain without a dot is a top-level one, below which everything is.
    ends_alike && short.contains('.') && (start == 0 || long.as_bytes()[start - 1] == b'.')
}

fn is_below(host: &str, label: &str) -> bool {
    host.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case(label))
}

/// Whether a word is in a list of words between spaces.
fn is_listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|listed| listed.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legal_form_is_the_first_or_last_of_several_words() {
        for (name, expected) in [
            ("Acme Ltd.", true),
            ("Acme S.A.", true),
            ("OOO Romashka", true),
            ("Acme Holdings (Pty) Ltd", true),
            ("Ltd", false),
            ("Limited Brands Store", true),
            ("Green Garden", false),
            ("", false),
        ] {
            assert_eq!(Name::read(name).has_legal_form, expected, "{name}");
        }
    }

    #[test]
    fn shares_count_letters_of_any_script() {
        let name = Name::read("ABC 123");
        assert_eq!((name.digit_share, name.uppercase_share), (0.5, 1.0));
        assert!(Name::read("株式会社").uppercase_share.is_nan());
        assert!(Name::read("").uppercase_share.is_nan());
    }

    #[test]
    fn domains_of_an_email_address_and_a_website_are_compared_with_subdomains() {
        for (email, website, expected) in [
            ("a@example.com", "https://www.example.com/x", true),
            ("a@mail.example.com", "http://EXAMPLE.com", true),
            ("a@example.com", "https://shop.example.com:8443?q", true),
            ("a@notexample.com", "https://example.com", false),
            ("a@com", "https://example.com", false),
            ("a@example.com", "https://user@other.example", false),
        ] {
            let found = same_domain(email_domain(email).unwrap(), website_host(website).unwrap());
            assert_eq!(found, expected, "{email} {website}");
        }
        assert!(is_free_domain("GMail.com") && !is_free_domain("example.com"));
        assert_eq!(website_host("https://"), None);
    }
}

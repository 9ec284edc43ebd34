//! The group of an industry, from its free text.

/// Words, in small letters, that put an industry into a group; the first group with a word in the text wins.
const GROUPS: [(u8, &[&str]); 9] = [
    (
        2,
        &[
            "financ",
            "fintech",
            "bank",
            "insur",
            "invest",
            "payment",
            "credit",
            "crypto",
            "lending",
            "capital market",
        ],
    ),
    (3, &["health", "medic", "pharma", "hospital", "biotech", "dental", "clinic"]),
    (6, &["real estate", "real_estate", "realestate", "property", "construction", "housing"]),
    (7, &["energy", "oil", "gas", "utilit", "solar", "mining", "electricity"]),
    (8, &["transport", "logistic", "shipping", "airline", "aviation", "freight", "courier"]),
    (9, &["educat", "school", "universit", "training", "e-learning"]),
    (5, &["retail", "e-commerce", "ecommerce", "commerce", "shop", "store", "wholesale"]),
    (4, &["manufactur", "industrial", "factory", "machinery", "chemical", "automotive", "textile"]),
    (1, &["tech", "software", "it services", "information", "saas", "telecom", "internet", "computer"]),
];

/// Groups 1 to 9, or 10 for any other industry.
pub(super) fn industry_group(industry: &str) -> u8 {
    let industry = industry.to_lowercase();
    let begins = |words: &[&str]| {
        word_starts(&industry).any(|start| words.iter().any(|word| industry[start..].starts_with(word)))
    };
    GROUPS.iter().find(|(_, words)| begins(words)).map_or(10, |(group, _)| *group)
}

/// Where words begin: `oil` is not to be found in `soil`.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut in_word = false;
    text.char_indices().filter_map(move |(at, letter)| {
        let begins = letter.is_alphanumeric() && !in_word;
        in_word = letter.is_alphanumeric();
        begins.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_industry_is_grouped_by_its_words() {
        for (industry, group) in [
            ("Technology", 1),
            ("fintech", 2),
            ("Financial Services", 2),
            ("Healthcare", 3),
            ("manufacturing", 4),
            ("Retail", 5),
            ("real_estate", 6),
            ("Oil & Gas", 7),
            ("Soil remediation", 10),
            ("transportation", 8),
            ("Education", 9),
            ("other", 10),
            ("", 10),
        ] {
            assert_eq!(industry_group(industry), group, "{industry}");
        }
    }
}

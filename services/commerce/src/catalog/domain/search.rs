//! The words of a search, and how well a product fits them.

use serde::Serialize;

/// How long the text of a search may be.
pub(crate) const SEARCH_CHARS_MAX: usize = 100;

/// How long a tag may be.
const TAG_CHARS_MAX: usize = 30;

/// The words that products must have. The last one may be the beginning of a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    words: Vec<String>,
}

/// A tag that products must have as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    text: String,
    words: Vec<String>,
}

/// The words that an index of words looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) search: Option<&'a Search>,
    pub(crate) tags: &'a [Tag],
}

/// The texts of a product that a search ranks it by. Words that are in none of them are in the description.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) name: String,
    /// The brand and the tags.
    pub(crate) labels: Vec<String>,
    pub(crate) category: String,
}

impl Search {
    /// The words of a text: letters and digits. Every other sign parts words, so none of them means anything to an engine.
    pub fn parse(text: &str) -> Option<Self> {
        let words = words_of(text).collect();
        (text.chars().count() <= SEARCH_CHARS_MAX).then_some(Self { words })
    }

    /// Whether there is any word.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How well a product fits. Each word counts for the best place where it is, and a whole word more than the beginning of one.
    pub(crate) fn score(&self, texts: &Texts) -> u32 {
        let last = self.words.len().saturating_sub(1);
        let words = self.words.iter().enumerate();
        words.map(|(place, word)| word_score(word, place == last, texts)).sum()
    }
}

impl Tag {
    /// A tag that an index can find: one with a letter or a digit.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<String> = words_of(text).collect();
        let is_tag = !words.is_empty() && text.chars().count() <= TAG_CHARS_MAX;
        is_tag.then(|| Self { text: text.to_owned(), words })
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Wanted<'_> {
    /// As PostgreSQL reads it.
    pub(crate) fn for_tsquery(&self) -> String {
        let quoted = |word: &String| format!("'{word}'");
        let tags = self.tags.iter().flat_map(|tag| &tag.words).map(quoted);
        let searched = self.search.iter().flat_map(|search| &search.words).map(quoted);
        let words: Vec<String> = tags.chain(searched).collect();
        let last = if self.search.is_some() { ":*" } else { "" };
        format!("{}{last}", words.join(" & "))
    }

    /// As FTS5 reads it. `shop` is a word that only products of one tenant have.
    pub(crate) fn for_fts5(&self, shop: &str) -> String {
        let all = |words: &[String]| {
            let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            quoted.join(" AND ")
        };
        let mut text = format!("shop : \"{shop}\"");
        for tag in self.tags {
            text.push_str(&format!(" AND tags : ({})", all(&tag.words)));
        }
        if let Some(search) = self.search {
            let columns = "{name brand tags category description}";
            text.push_str(&format!(" AND {columns} : ({} *)", all(&search.words)));
        }
        text
    }
}

fn word_score(word: &str, may_go_on: bool, texts: &Texts) -> u32 {
    let fit = |text: &str| {
        let fits = words_of(text).map(|other| match () {
            () if other == word => 2,
            () if may_go_on && other.starts_with(word) => 1,
            () => 0,
        });
        fits.max().unwrap_or_default()
    };
    let labels = texts.labels.iter().map(|label| fit(label)).max().unwrap_or_default();
    let best = (fit(&texts.name) * 8).max(labels * 4).max(fit(&texts.category) * 2);
    best.max(1)
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, brand: &str, category: &str) -> Texts {
        Texts { name: name.to_owned(), labels: vec![brand.to_owned()], category: category.to_owned() }
    }

    #[test]
    fn signs_part_words_and_reach_no_engine() {
        let search = Search::parse("Tea-Pot' OR \"x\" & !y:* NEAR(").unwrap();
        assert_eq!(search.words, ["tea", "pot", "or", "x", "y", "near"]);
        let (search, tags) = (Search::parse("green te").unwrap(), [Tag::parse("tea-time").unwrap()]);
        let wanted = Wanted { search: Some(&search), tags: &[] };
        assert_eq!(wanted.for_tsquery(), "'green' & 'te':*");
        let wanted = Wanted { search: Some(&search), tags: &tags };
        assert_eq!(wanted.for_tsquery(), "'tea' & 'time' & 'green' & 'te':*");
        let wanted = Wanted { search: None, tags: &tags };
        assert_eq!(wanted.for_tsquery(), "'tea' & 'time'");
        assert_eq!(wanted.for_fts5("t"), "shop : \"t\" AND tags : (\"tea\" AND \"time\")");
        assert_eq!(Tag::parse("!"), None);
        assert!(Search::parse("!!!").unwrap().is_empty());
        assert_eq!(Search::parse(&"a".repeat(101)), None);
    }

    #[test]
    fn a_word_in_the_name_weighs_more_than_one_in_the_category() {
        let search = Search::parse("green tea").unwrap();
        let scores = [
            texts("Green Tea", "", ""),
            texts("Green Teapot", "", ""),
            texts("Pot", "Green", "Tea"),
            texts("Pot", "", ""),
        ]
        .map(|texts| search.score(&texts));
        assert_eq!(scores, [32, 24, 12, 2]);
    }
}

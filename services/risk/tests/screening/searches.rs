//! Searches: what is found, how it is scored, and what is refused.

use std::sync::Arc;

use pando_risk::screening::{Entry, Index, Kind, List, MatchType, Name, Query, QueryError, Weights};
use proptest::prelude::*;

use crate::lists::sample;
use crate::quality_set::QualitySet;

fn entry(id: &str, name: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        source: "list".to_owned(),
        name: name.to_owned(),
        aliases: Vec::new(),
        kind: Kind::Person,
        countries: vec!["DE".to_owned()],
        birth_dates: vec!["1962-05-17".parse().unwrap()],
        programs: Vec::new(),
        updated_at: None,
        contact: None,
    }
}

fn index(names: &[&str]) -> Index {
    let entries = names.iter().enumerate().map(|(at, name)| entry(&format!("e{at}"), name));
    Index::build(Arc::new(List::new(entries.collect())))
}

#[test]
fn a_match_says_on_what_it_rests() {
    let names =
        ["Mohammed al-Masri", "John Smith", "Acme International Ltd", "Владимир Щукин", "Jürgen Müller"];
    let index = index(&names);
    for (name, id, match_type) in [
        ("Muhammad Al Masri", "e0", MatchType::Fuzzy),
        ("محمد المصري", "e0", MatchType::Fuzzy),
        ("J. Smith", "e1", MatchType::Partial),
        ("Smith, John", "e1", MatchType::Partial),
        ("John Smyht", "e1", MatchType::Fuzzy),
        ("John Smith", "e1", MatchType::Exact),
        ("ACME Intl. Limited", "e2", MatchType::Exact),
        ("Acme Intl", "e2", MatchType::Partial),
        ("Vladimir Shchukin", "e3", MatchType::Exact),
        ("Juergen Mueller", "e4", MatchType::Exact),
    ] {
        let matches = index.search(&Query { threshold: 0.6, ..Query::new(name) }).unwrap();
        let found = matches.first().unwrap();
        assert_eq!((found.entry.id.as_str(), found.match_type), (id, match_type), "{name}: {found:?}");
        assert_eq!(found.score == 1.0, match_type == MatchType::Exact, "{name}: {found:?}");
    }
    assert_eq!(index.search(&Query::new("Somebody Else")).unwrap(), []);
}

#[test]
fn country_and_date_raise_or_lower_a_score() {
    let index = index(&["John Smith"]);
    let score = |country: Option<&str>, date: Option<&str>, name: &str| {
        let birth_date = date.map(|date| date.parse().unwrap());
        let query = Query { country, birth_date, threshold: 0.0, ..Query::new(name) };
        index.search(&query).unwrap()[0].score
    };
    let plain = score(None, None, "Jon Smith");
    assert!(score(Some("DE"), None, "Jon Smith") > plain && score(Some("DE"), None, "Jon Smith") < 1.0);
    assert!(score(Some("FR"), None, "Jon Smith") < plain);
    assert!(score(None, Some("1962-05-17"), "Jon Smith") > score(None, Some("1962"), "Jon Smith"));
    assert!(score(None, Some("1980"), "John Smith") < 1.0);
}

#[test]
fn a_query_that_cannot_be_answered_is_refused() {
    let index = index(&["John Smith"]);
    let error = |query: Query<'_>| index.search(&query).unwrap_err();
    assert_eq!(error(Query::new("…")), QueryError::NoWords);
    assert_eq!(error(Query::new(&"x".repeat(256))), QueryError::NameTooLong);
    assert_eq!(error(Query { threshold: f64::NAN, ..Query::new("x") }), QueryError::Threshold);
    let weights = Weights { order: 2.0, ..Weights::default() };
    assert_eq!(
        error(Query { weights, ..Query::new("x") }).to_string(),
        "the weight of order is not a number from 0 to 1"
    );
}

#[test]
fn equal_scores_are_given_by_id_and_the_same_each_time() {
    let index = index(&["John Smith"; 30]);
    let ids = || {
        let matches = index.search(&Query { limit: 20, ..Query::new("John Smith") }).unwrap();
        matches.into_iter().map(|it| it.entry.id.clone()).collect::<Vec<_>>()
    };
    let mut expected: Vec<String> = (0..30).map(|at| format!("e{at}")).collect();
    expected.sort();
    expected.truncate(20);
    assert_eq!(ids(), expected);
    assert_eq!(ids(), expected);
}

#[test]
fn changed_entries_alone_get_the_scores_of_the_whole_list() {
    let whole = Index::build(Arc::new(sample()));
    let some: Vec<Entry> = whole.list().entries().iter().step_by(7).cloned().collect();
    let part = whole.of(some.clone());
    for entry in &some {
        let name = &entry.name[..entry.name.len() - entry.name.chars().next_back().unwrap().len_utf8()];
        let query = Query { threshold: 0.5, limit: 100, ..Query::new(name) };
        let scores = |index: &Index| {
            let matches = index.search(&query).unwrap();
            matches
                .into_iter()
                .find(|it| it.entry.id == entry.id)
                .map(|it| (it.score, it.features, it.match_type))
        };
        assert!(scores(&whole).is_some(), "{name}");
        assert_eq!(scores(&whole), scores(&part), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_searched(text in ".{0,255}") {
        let index = index(&["John Smith", "株式会社タナカ", "محمد المصري"]);
        let matches = index.search(&Query::new(&text));
        prop_assert_eq!(matches.is_err(), Name::new(&text).words().is_empty());
    }

    /// A word that agrees gives way to one that resembles nothing, or is left out.
    #[test]
    fn less_agreement_never_raises_the_score(seed in 0..1000_u64, which in 0..8_usize, left_out in any::<bool>()) {
        let set = QualitySet::make(5, 1, 0, seed);
        let index = Index::build(Arc::new(set.list));
        let entry = &index.list().entries()[0];
        let score = |name: &str| {
            let query = Query { threshold: 0.0, limit: 100, ..Query::new(name) };
            let matches = index.search(&query).unwrap();
            matches.iter().find(|it| it.entry.id == entry.id).map_or(0.0, |it| it.score)
        };
        let mut words = Name::new(&entry.name).words().to_vec();
        let before = score(&words.join(" "));
        prop_assert_eq!(before, 1.0);
        let mut last = before;
        while words.len() > 1 {
            let at = which % words.len();
            if left_out { drop(words.remove(at)) } else { words[at] = "qqqqqqqq".to_owned() }
            let now = score(&words.join(" "));
            prop_assert!(now <= last, "{:?} {} {}", words, now, last);
            last = now;
            if !left_out { break }
        }
    }
}

//! The screening from outside: lists, searches, and how good they are.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod lists;
mod made_names;
mod quality;
mod quality_set;
mod searches;

use quality_set::QualitySet;

#[test]
fn the_screening_is_better_than_plain_jaro_winkler() {
    let set = QualitySet::make(300, 200, 1_000, 99);
    let (ours, plain) = (quality::screening(&set), quality::plain_jaro_winkler(&set));
    let tables = quality::tables(&set, &[]);
    assert!(tables.starts_with("| | threshold |"));
    assert!(
        ours.best(&set).f1() > plain.best(&set).f1() + 0.2,
        "{:?} {:?}",
        ours.best(&set),
        plain.best(&set)
    );
    for precision in [0.8, 0.9, 0.95] {
        let (one, other) = (ours.recall_at(&set, precision), plain.recall_at(&set, precision));
        assert!(one > other, "recall {one} beside {other} at a precision of {precision}");
    }
    let (least, found) = (0.7, ours.at(&set, 0.75));
    assert!(found.recall > least, "{found:?}");
}

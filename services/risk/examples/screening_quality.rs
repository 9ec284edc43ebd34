//! Prints how good the screening is on 2,000 variants of names on a list and 20,000 names that are not on it.
//!
//! `cargo run --release -p pando-risk --example screening_quality`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

#[path = "../tests/screening/made_names.rs"]
mod made_names;
#[path = "../tests/screening/quality.rs"]
mod quality;
#[path = "../tests/screening/quality_set.rs"]
mod quality_set;

/// The weights were chosen on the sets of other seeds.
const SEED: u64 = 20_261_128;

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let set = quality_set::QualitySet::make(1_000, 2_000, 20_000, seed);
    let measured = [quality::screening(&set), quality::plain_jaro_winkler(&set)];
    print!("{}", quality::tables(&set, &measured));
}

//! Rows of features from files and from the generator that the training has as well.

use pando_clock::Clock;
use pando_risk::model::{FEATURE_COUNT, FEATURES, FeatureSpec, Features, Models, ModelsOptions};

const MISSING: u16 = 0xFFFF;

/// The shipped models.
pub(crate) fn shipped() -> Models {
    Models::open(ModelsOptions::default(), Clock::system()).unwrap()
}

/// The held-out rows, and which of them failed.
pub(crate) fn held_out() -> (Vec<Features>, Vec<bool>) {
    let codes = include_bytes!("held_out.u16").as_chunks::<2>().0.iter().copied().map(u16::from_le_bytes);
    let failed = include_bytes!("held_out.failed").iter().map(|failed| *failed == 1).collect();
    (rows(codes), failed)
}

/// Rows over the whole range of every feature, the same as `golden_codes` of train/train.py makes.
pub(crate) fn golden() -> Vec<Features> {
    let mut state = 20_261_128_u64;
    let codes = (0..10_000).flat_map(|_| FEATURES.iter()).map(|spec| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = state >> 33;
        if bits.is_multiple_of(10) { MISSING } else { u16::try_from(bits / 10 % steps(spec)).unwrap() }
    });
    rows(codes)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "steps are whole, positive and few"
)]
fn steps(spec: &FeatureSpec) -> u64 {
    ((spec.range[1] - spec.range[0]) * spec.steps_per_unit) as u64 + 1
}

fn rows(codes: impl Iterator<Item = u16>) -> Vec<Features> {
    let codes: Vec<u16> = codes.collect();
    let (rows, rest) = codes.as_chunks::<FEATURE_COUNT>();
    assert!(rest.is_empty());
    rows.iter().map(|row| std::array::from_fn(|place| value(&FEATURES[place], row[place]))).collect()
}

/// A code counts steps above the least value.
fn value(spec: &FeatureSpec, code: u16) -> f64 {
    if code == MISSING {
        return f64::NAN;
    }
    (f64::from(code) + spec.range[0] * spec.steps_per_unit) / spec.steps_per_unit
}

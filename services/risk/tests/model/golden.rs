//! Predictions on 10,000 rows beside those of LightGBM, and contributions that add up.

use pando_risk::model::{FEATURES, Model, ModelType};

use crate::rows::{golden, held_out, shipped};

#[test]
fn predictions_on_ten_thousand_rows_are_those_of_the_trainer() {
    let models = shipped();
    for (kind, own) in [
        (ModelType::GradientBoosting, include_bytes!("golden-gradient_boosting-1.f64").as_slice()),
        (ModelType::Sequence, include_bytes!("golden-sequence-1.f64").as_slice()),
    ] {
        let model = models.current(kind).unwrap();
        let own = own.as_chunks::<8>().0.iter().copied().map(f64::from_le_bytes);
        let (mut greatest, mut count) = (0.0_f64, 0);
        for (row, own) in golden().iter().zip(own) {
            let ours = model.evaluate(row);
            let score = 1.0 / (1.0 + (-own).exp());
            greatest = greatest.max((ours.log_odds - own).abs()).max((ours.score - score).abs());
            count += 1;
        }
        assert_eq!(count, 10_000);
        assert!(greatest < 1e-9, "{kind} differs by {greatest}");
    }
}

#[test]
fn every_value_of_the_golden_rows_is_on_a_step_of_its_feature() {
    for row in golden().iter().take(200) {
        for (spec, value) in FEATURES.iter().zip(row) {
            assert!(
                value.is_nan() || spec.value(*value).to_bits() == value.to_bits(),
                "{}: {value}",
                spec.name
            );
        }
    }
}

#[test]
fn contributions_add_up_to_the_log_odds_to_the_bit_in_any_order() {
    let models = shipped();
    let models = ModelType::ALL.map(|kind| models.current(kind).unwrap());
    let rows = golden();
    assert_eq!(rows.len(), 10_000);
    for (row, model) in rows.iter().zip(models.iter().cycle()) {
        let (evaluation, explanation) = (model.evaluate(row), model.explain(row));
        let forward = explanation.contributions.iter().fold(explanation.base, |sum, part| sum + part);
        let backward: f64 = explanation.contributions.iter().rev().sum::<f64>() + explanation.base;
        assert_eq!(forward.to_bits(), evaluation.log_odds.to_bits());
        assert_eq!(backward.to_bits(), evaluation.log_odds.to_bits());
    }
}

#[test]
fn a_feature_that_no_split_reads_contributes_nothing() {
    let model = shipped().current(ModelType::GradientBoosting).unwrap();
    let rows = held_out().0;
    for (place, spec) in FEATURES.iter().enumerate() {
        let contributes = rows.iter().take(500).any(|row| model.explain(row).contributions[place] != 0.0);
        let gain = gain(&model, spec.name);
        assert!(gain > 0.0 || !contributes, "{}", spec.name);
    }
    assert_eq!(gain(&model, "score_trend"), 0.0);
}

fn gain(model: &Model, feature: &str) -> f64 {
    model.card().importances.iter().find(|importance| importance.feature == feature).unwrap().gain
}

#[test]
fn the_same_row_gives_the_same_bits_in_another_process_of_models() {
    let (first, second) = (shipped(), shipped());
    for kind in ModelType::ALL {
        let (first, second) = (first.current(kind).unwrap(), second.current(kind).unwrap());
        assert_eq!(first.hash(), second.hash());
        for row in golden().iter().take(1_000) {
            assert_eq!(first.evaluate(row), second.evaluate(row));
            assert_eq!(first.explain(row), second.explain(row));
        }
    }
}

#[test]
fn an_ensemble_weighs_its_members_by_the_horizon() {
    let models = shipped();
    let [trees, sequence, ensemble] = ModelType::ALL.map(|kind| models.current(kind).unwrap());
    let horizon = FEATURES.iter().position(|spec| spec.name == "horizon_months").unwrap();
    for (months, weight) in [(0.0, 0.75), (3.0, 0.75), (4.0, 0.5), (5.0, 0.5), (6.0, 0.25), (24.0, 0.25)] {
        let mut row = held_out().0[0];
        row[horizon] = months;
        let expected =
            weight * trees.evaluate(&row).log_odds + (1.0 - weight) * sequence.evaluate(&row).log_odds;
        assert_eq!(ensemble.evaluate(&row).log_odds, expected);
    }
}

#[test]
fn less_is_known_of_a_business_that_says_less() {
    let model = shipped().current(ModelType::GradientBoosting).unwrap();
    let row =
        held_out().0.into_iter().find(|row| row.iter().filter(|value| value.is_nan()).count() < 3).unwrap();
    let place = |name: &str| FEATURES.iter().position(|spec| spec.name == name).unwrap();
    let mut bare = row;
    for name in ["last_score", "years_in_business", "annual_revenue_log"] {
        bare[place(name)] = f64::NAN;
    }
    let (whole, bare) = (model.evaluate(&row), model.evaluate(&bare));
    assert!(bare.confidence < whole.confidence, "{bare:?} {whole:?}");
    assert!((0.0..=1.0).contains(&whole.confidence) && bare.confidence > 0.0);
}

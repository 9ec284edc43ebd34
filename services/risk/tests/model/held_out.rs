//! The figures of the cards, computed again from the held-out rows.

use pando_risk::model::{Evaluation, FEATURES, Model, ModelType};
use serde_json::Value;

use crate::rows::{held_out, shipped};

struct Row {
    evaluation: Evaluation,
    failed: bool,
    months: f64,
}

#[test]
fn the_figures_of_every_card_are_those_of_the_held_out_rows() {
    let models = shipped();
    for kind in ModelType::ALL {
        let model = models.current(kind).unwrap();
        let all = score(&model);
        let [first, last] = model.card().horizons.map(f64::from);
        let rows: Vec<&Row> = all.iter().filter(|row| row.months >= first && row.months <= last).collect();
        let figures = &model.card().held_out;
        assert_eq!(figures.rows as usize, rows.len());
        assert_eq!(figures.failed as usize, rows.iter().filter(|row| row.failed).count());
        same(figures.auc, auc(&rows));
        same(figures.brier, brier(&rows));
        same(figures.log_loss, log_loss(&rows));
        let base = share(rows.iter().filter(|row| row.failed).count(), rows.len());
        same(figures.brier_of_the_base_rate, base * (1.0 - base));
        check_thresholds(&model, &rows);
        check_calibration(&model, &rows);
        for band in &model.card().by_horizon {
            let held =
                all.iter().filter(|row| (f64::from(band.from)..=f64::from(band.to)).contains(&row.months));
            let held: Vec<&Row> = held.collect();
            assert_eq!(band.rows as usize, held.len());
            same(band.auc, auc(&held));
            same(band.brier, brier(&held));
        }
    }
}

#[test]
fn the_type_that_auto_chooses_ranks_its_horizons_better_than_the_other() {
    let models = shipped();
    let bands = |kind: ModelType| models.current(kind).unwrap().card().by_horizon.clone();
    let (trees, sequence) = (bands(ModelType::GradientBoosting), bands(ModelType::Sequence));
    for (trees, sequence) in trees.iter().zip(&sequence) {
        match ModelType::auto(trees.from) {
            ModelType::GradientBoosting => assert!(trees.auc > sequence.auc, "{trees:?} {sequence:?}"),
            ModelType::Sequence => assert!(sequence.auc > trees.auc, "{trees:?} {sequence:?}"),
            ModelType::Ensemble => {}
        }
    }
}

#[test]
fn the_answer_about_a_model_is_its_card() {
    let model = shipped().current(ModelType::GradientBoosting).unwrap();
    let info = serde_json::to_value(model.info()).unwrap();
    let at = &model.card().held_out.at[0];
    assert_eq!(at.threshold, 0.3);
    assert_eq!(
        [info["accuracy"].as_f64(), info["precision"].as_f64()],
        [Some(at.accuracy), Some(at.precision)]
    );
    assert_eq!([info["recall"].as_f64(), info["f1_score"].as_f64()], [Some(at.recall), Some(at.f1)]);
    assert_eq!(info["type"], "gradient_boosting");
    assert_eq!(info["metadata"]["blake3"], Value::from(model.hash()));
    assert_eq!(info["metadata"]["data"]["made"], true);
    let features: Vec<&str> =
        info["features"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(features.contains(&"horizon_months") && !features.contains(&"score_trend"));
}

fn score(model: &Model) -> Vec<Row> {
    let horizon = FEATURES.iter().position(|spec| spec.name == "horizon_months").unwrap();
    let (rows, failed) = held_out();
    let row = |(values, failed): (&_, bool)| {
        let values: &pando_risk::model::Features = values;
        Row { evaluation: model.evaluate(values), failed, months: values[horizon] }
    };
    rows.iter().zip(failed).map(row).collect()
}

/// Cards have six digits.
fn same(of_card: f64, of_rows: f64) {
    assert!((of_card - of_rows).abs() <= 0.500_001e-6, "the card says {of_card}, the rows say {of_rows}");
}

fn share(part: usize, of: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of.max(1)).unwrap())
}

/// By ranks: rows with the same log-odds share the mean of their ranks.
fn auc(rows: &[&Row]) -> f64 {
    let mut sorted: Vec<(f64, bool)> = rows.iter().map(|row| (row.evaluation.log_odds, row.failed)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut below) = (0.0, 0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let failed = equal.iter().filter(|(_, failed)| *failed).count();
        ranks += share(failed * (2 * below + equal.len() + 1), 2);
        below += equal.len();
    }
    let failed = rows.iter().filter(|row| row.failed).count();
    (ranks - share(failed * (failed + 1), 2)) / share(failed * (rows.len() - failed), 1)
}

fn mean(rows: &[&Row], of: impl Fn(&Row) -> f64) -> f64 {
    rows.iter().map(|row| of(row)).sum::<f64>() / share(rows.len(), 1)
}

fn brier(rows: &[&Row]) -> f64 {
    mean(rows, |row| (row.evaluation.score - f64::from(u8::from(row.failed))).powi(2))
}

fn log_loss(rows: &[&Row]) -> f64 {
    mean(rows, |row| -(if row.failed { row.evaluation.score } else { 1.0 - row.evaluation.score }).ln())
}

fn check_thresholds(model: &Model, rows: &[&Row]) {
    for at in &model.card().held_out.at {
        let called = |row: &&&Row| row.evaluation.score >= at.threshold;
        let right = rows.iter().filter(called).filter(|row| row.failed).count();
        let all = rows.iter().filter(called).count();
        let failed = rows.iter().filter(|row| row.failed).count();
        assert_eq!(at.called as usize, all);
        same(at.accuracy, share(rows.len() - failed + 2 * right - all, rows.len()));
        same(at.precision, share(right, all));
        same(at.recall, share(right, failed));
        same(at.f1, share(2 * right, all + failed));
    }
}

fn check_calibration(model: &Model, rows: &[&Row]) {
    for bin in &model.card().calibration {
        let last = bin.to == 1.0;
        let held = rows.iter().filter(|row| row.evaluation.score >= bin.from);
        let held: Vec<&Row> = held.filter(|row| row.evaluation.score < bin.to || last).copied().collect();
        assert_eq!(bin.count as usize, held.len());
        assert_eq!(bin.failed as usize, held.iter().filter(|row| row.failed).count());
        if let (Some(predicted), Some(observed)) = (bin.predicted, bin.observed) {
            same(predicted, mean(&held, |row| row.evaluation.score));
            same(observed, share(bin.failed as usize, held.len()));
        }
    }
}

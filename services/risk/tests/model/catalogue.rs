//! Models that come and go while requests run.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_risk::model::{ModelError, ModelType, Models, ModelsOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::rows::held_out;

const TREES: ModelType = ModelType::GradientBoosting;

/// Writes the shipped model of trees as another version, with an offset that tells it apart.
pub(crate) fn write_version(folder: &Path, version: &str) {
    let shipped = include_str!("../../models/gradient_boosting-1.json");
    let mut model: Value = serde_json::from_str(shipped).unwrap();
    model["version"] = version.into();
    model["offset"] = (version.parse::<i64>().unwrap() << 40).into();
    let mut card: Value =
        serde_json::from_str(include_str!("../../models/gradient_boosting-1.card.json")).unwrap();
    card["version"] = version.into();
    let text = model.to_string();
    card["blake3"] = blake3::hash(text.as_bytes()).to_hex().to_string().into();
    fs::write(folder.join(format!("gradient_boosting-{version}.card.json")), card.to_string()).unwrap();
    fs::write(folder.join(format!("gradient_boosting-{version}.json")), text).unwrap();
}

fn open(folder: &TempDir) -> Models {
    Models::open(options(folder), Clock::scripted(Timestamp::from_micros(0))).unwrap()
}

fn options(folder: &TempDir) -> ModelsOptions {
    ModelsOptions { folder: Some(folder.path().to_owned()), ..ModelsOptions::default() }
}

#[test]
fn a_newer_version_comes_into_use_and_a_request_keeps_the_model_that_it_has() {
    let folder = TempDir::new().unwrap();
    let models = open(&folder);
    let before = models.current(TREES).unwrap();
    assert!(models.refresh().unwrap().is_empty());
    write_version(folder.path(), "2");
    let came = models.refresh().unwrap();
    assert_eq!(
        came.iter().map(|model| (model.kind(), model.version())).collect::<Vec<_>>(),
        [(TREES, "2".into())]
    );
    assert_eq!(models.current(TREES).unwrap().version(), "2");
    let row = &held_out().0[0];
    assert_eq!(before.evaluate(row), models.version(TREES, "1").unwrap().evaluate(row));
    assert_ne!(before.evaluate(row), models.current(TREES).unwrap().evaluate(row));
}

#[test]
fn an_ensemble_keeps_the_members_that_its_file_names() {
    let folder = TempDir::new().unwrap();
    let models = open(&folder);
    let row = &held_out().0[0];
    let before = models.current(ModelType::Ensemble).unwrap().evaluate(row);
    write_version(folder.path(), "2");
    models.refresh().unwrap();
    assert_eq!(models.current(ModelType::Ensemble).unwrap().evaluate(row), before);
}

#[test]
fn a_pinned_version_stays_in_use_until_it_is_let_go() {
    let folder = TempDir::new().unwrap();
    write_version(folder.path(), "2");
    write_version(folder.path(), "3");
    let pinned = ModelsOptions { pins: vec![(TREES, "2".to_owned())], ..options(&folder) };
    let models = Models::open(pinned, Clock::system()).unwrap();
    assert_eq!(models.current(TREES).unwrap().version(), "2");
    models.refresh().unwrap();
    assert_eq!(models.current(TREES).unwrap().version(), "2");
    models.pin(TREES, Some("1")).unwrap();
    assert_eq!(models.current(TREES).unwrap().version(), "1");
    models.pin(TREES, None).unwrap();
    assert_eq!(models.current(TREES).unwrap().version(), "3");
}

#[test]
fn a_version_that_is_not_there_is_an_error_and_not_another_model() {
    let folder = TempDir::new().unwrap();
    let models = open(&folder);
    let error = models.version(TREES, "7").unwrap_err();
    assert_eq!(error.to_string(), "there is no model gradient_boosting version 7");
    assert!(matches!(models.pin(TREES, Some("7")), Err(ModelError::Missing { .. })));
    assert_eq!(models.current(TREES).unwrap().version(), "1");
    let pinned = ModelsOptions { pins: vec![(TREES, "7".to_owned())], ..options(&folder) };
    assert!(matches!(Models::open(pinned, Clock::system()), Err(ModelError::Missing { .. })));
    let nowhere = ModelsOptions { folder: Some(folder.path().join("none")), ..ModelsOptions::default() };
    let error = Models::open(nowhere, Clock::system()).unwrap_err().to_string();
    assert!(error.contains("none cannot be read"), "{error}");
}

#[test]
fn models_that_nobody_asks_for_are_thrown_out() {
    let folder = TempDir::new().unwrap();
    for version in 2..=6 {
        write_version(folder.path(), &version.to_string());
    }
    let clock = Clock::scripted(Timestamp::from_micros(0));
    let few = ModelsOptions { loaded_max: 2, idle_ms: 60_000, ..options(&folder) };
    let models = Models::open(few, clock.clone()).unwrap();
    // Version 6, sequence and ensemble are in use, and version 1 as a member of the ensemble.
    assert_eq!(models.loaded_count(), 4);
    for version in ["2", "3", "4"] {
        models.version(TREES, version).unwrap();
    }
    // The last one is counted as used by the request that loaded it, until the next one comes.
    models.version(TREES, "4").unwrap();
    models.refresh().unwrap();
    assert_eq!(models.loaded_count(), 6);
    clock.advance(Duration::from_secs(61));
    models.refresh().unwrap();
    assert_eq!(models.loaded_count(), 4);
    models.version(TREES, "2").unwrap();
    assert_eq!(models.loaded_count(), 5);
}

#[test]
fn no_request_fails_while_models_are_swapped() {
    let folder = TempDir::new().unwrap();
    let models = open(&folder);
    let rows = &held_out().0[..50];
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let model = models.current(TREES).unwrap();
                    let version: f64 = model.version().parse().unwrap();
                    let evaluation = model.evaluate(&rows[served.fetch_add(1, Ordering::Relaxed) % 50]);
                    assert!(version == 1.0 || (evaluation.log_odds - version).abs() < 20.0);
                }
            });
        }
        for version in 2..=8 {
            write_version(folder.path(), &version.to_string());
            models.refresh().unwrap();
            let target = served.load(Ordering::Relaxed) + 20;
            while served.load(Ordering::Relaxed) < target {
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(models.current(TREES).unwrap().version(), "8");
}

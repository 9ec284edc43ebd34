//! Damaged files of models: each is refused by name, and what was in use stays.

use std::fs;

use pando_clock::Clock;
use pando_risk::model::{ModelType, Models, ModelsOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::catalogue::write_version;

const TREES: ModelType = ModelType::GradientBoosting;

struct Place {
    folder: TempDir,
    models: Models,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let options = ModelsOptions { folder: Some(folder.path().to_owned()), ..ModelsOptions::default() };
        let models = Models::open(options, Clock::system()).unwrap();
        write_version(folder.path(), "2");
        Self { folder, models }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Changes the model's file, and its hash in the card.
    fn change(&self, change: impl Fn(&mut Value)) {
        let mut model: Value = serde_json::from_str(&self.read("gradient_boosting-2.json")).unwrap();
        change(&mut model);
        self.replace(&model.to_string());
    }

    fn replace(&self, text: &str) {
        self.write("gradient_boosting-2.json", text);
        let mut card: Value = serde_json::from_str(&self.read("gradient_boosting-2.card.json")).unwrap();
        card["blake3"] = blake3::hash(text.as_bytes()).to_hex().to_string().into();
        self.write("gradient_boosting-2.card.json", &card.to_string());
    }

    fn refused(&self, fault: &str) {
        let error = self.models.refresh().unwrap_err().to_string();
        assert!(error.contains("gradient_boosting-2.") && error.contains(fault), "{error}, not {fault}");
        assert_eq!(self.models.current(TREES).unwrap().version(), "1");
    }
}

#[test]
fn faults_of_the_trees_are_named() {
    type Change = fn(&mut Value);
    let faults: [(&str, Change); 16] = [
        ("its format", |model| model["format"] = "pando.risk.trees/9".into()),
        ("holds sequence version 2", |model| model["type"] = "sequence".into()),
        ("holds gradient_boosting version 3", |model| model["version"] = "3".into()),
        ("its features are not those", |model| model["features"][0] = "shoe_size".into()),
        ("it has 0 trees", |model| model["trees"] = json!([])),
        ("tree 3: it has 7 features", |model| model["trees"][3]["threshold"] = json!([0.5])),
        ("tree 0: it has 1 leaves", |model| model["trees"][0]["leaf"] = json!([1])),
        ("tree 1: it reads feature 200", |model| model["trees"][1]["feature"][0] = 200.into()),
        ("number out of range", |model| {
            model["trees"][1]["threshold"][0] = serde_json::from_str("\"out of range\"").unwrap();
        }),
        ("missing_left is neither", |model| model["trees"][1]["missing_left"][0] = 2.into()),
        ("a leaf has no training rows", |model| model["trees"][1]["rows"][0] = 0.into()),
        ("leads back", |model| model["trees"][1]["left"][1] = 0.into()),
        ("leads back", |model| model["trees"][1]["left"][1] = model["trees"][1]["right"][1].clone()),
        ("leads back", |model| model["trees"][1]["left"][0] = (-99).into()),
        ("would not be exact", |model| model["offset"] = (1_i64 << 52).into()),
        ("unknown field", |model| model["colour"] = "red".into()),
    ];
    let place = Place::new();
    for (fault, change) in faults {
        write_version(place.folder.path(), "2");
        place.change(change);
        if fault == "number out of range" {
            // JSON has no infinity; a number that would become one is refused by the parser.
            place.replace(&place.read("gradient_boosting-2.json").replace("\"out of range\"", "1e999"));
        }
        place.refused(fault);
    }
}

#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let place = Place::new();
    place.change(|model| {
        let nodes = 12;
        let chain: Vec<i64> = (1..nodes).chain([-1 - nodes]).collect();
        let leaves: Vec<i64> = (0..nodes).map(|leaf| -1 - leaf).collect();
        model["trees"][0] = json!({
            "feature": vec![0; 12], "threshold": vec![0.5; 12], "missing_left": vec![0; 12],
            "left": leaves, "right": chain, "leaf": vec![1; 13], "rows": vec![1; 13],
        });
    });
    place.refused("deeper than 8");
}

#[test]
fn files_that_are_cut_off_changed_or_too_great_are_refused() {
    let place = Place::new();
    let whole = place.read("gradient_boosting-2.json");
    place.write("gradient_boosting-2.json", &whole[..whole.len() / 2]);
    place.refused("the model's file has the hash");
    place.replace(&whole[..whole.len() / 2]);
    place.refused("EOF");
    place.replace("");
    place.refused("EOF");
    place.replace(&whole.replacen("0.5", "0.6", 1));
    place.models.refresh().unwrap();
    assert_eq!(place.models.current(TREES).unwrap().version(), "2");

    let small = ModelsOptions {
        folder: Some(place.folder.path().to_owned()),
        file_bytes_max: 1_000,
        ..ModelsOptions::default()
    };
    let error = Models::open(small, Clock::system()).unwrap_err().to_string();
    assert!(error.contains("more than 1000 bytes"), "{error}");
}

#[test]
fn a_model_without_its_card_is_refused() {
    let place = Place::new();
    fs::remove_file(place.folder.path().join("gradient_boosting-2.card.json")).unwrap();
    place.refused("cannot be read");
}

#[test]
fn faults_of_a_card_are_named() {
    type Change = fn(&mut Value);
    let faults: [(&str, Change); 6] = [
        ("its format", |card| card["format"] = "other".into()),
        ("it is of gradient_boosting version 1", |card| card["version"] = "1".into()),
        ("its importances are not those", |card| card["importances"] = json!([])),
        ("its importances are no shares", |card| card["importances"][0]["gain"] = 2.into()),
        ("its calibration table", |card| card["calibration"][0]["failed"] = 1_000_000.into()),
        ("missing field `limits`", |card| drop(card.as_object_mut().unwrap().remove("limits"))),
    ];
    let place = Place::new();
    for (fault, change) in faults {
        write_version(place.folder.path(), "2");
        let mut card: Value = serde_json::from_str(&place.read("gradient_boosting-2.card.json")).unwrap();
        change(&mut card);
        place.write("gradient_boosting-2.card.json", &card.to_string());
        place.refused(fault);
    }
}

#[test]
fn a_version_whose_file_changes_is_refused() {
    let place = Place::new();
    // The folder holds another version 1 than the shipped one.
    write_version(place.folder.path(), "1");
    let options = ModelsOptions { folder: Some(place.folder.path().to_owned()), ..ModelsOptions::default() };
    let error = Models::open(options, Clock::system()).unwrap_err().to_string();
    assert!(error.contains("a changed model needs a version of its own"), "{error}");
}

#[test]
fn an_ensemble_whose_member_is_another_one_is_refused() {
    let place = Place::new();
    let mut model: Value = serde_json::from_str(include_str!("../../models/ensemble-1.json")).unwrap();
    let mut card: Value = serde_json::from_str(include_str!("../../models/ensemble-1.card.json")).unwrap();
    for part in [&mut model, &mut card] {
        part["version"] = "2".into();
    }
    model["members"]["sequence"]["blake3"] = "00".into();
    let text = model.to_string();
    card["blake3"] = blake3::hash(text.as_bytes()).to_hex().to_string().into();
    place.write("ensemble-2.json", &text);
    place.write("ensemble-2.card.json", &card.to_string());
    let error = place.models.refresh().unwrap_err().to_string();
    assert!(error.contains("ensemble-2.json: its member sequence has the hash"), "{error}");
    assert_eq!(place.models.current(ModelType::Ensemble).unwrap().version(), "1");
    // Nothing of that refresh came into use.
    assert_eq!(place.models.current(TREES).unwrap().version(), "1");
}

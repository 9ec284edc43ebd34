//! From the files of a model to a model that was checked.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::card::Card;
use super::error::ModelError;
use super::files::ModelFiles;
use super::scorer::{Band, Model, ModelType, Scorer};
use super::shapley::Shapley;
use super::trees::{Forest, TreesFile};

const BANDS_MAX: usize = 25;

/// An ensemble as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsembleFile {
    format: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    members: Members,
    weights_in_quarters: Vec<BandFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    gradient_boosting: Member,
    sequence: Member,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    version: String,
    blake3: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BandFile {
    up_to_months: u8,
    gradient_boosting: u8,
    sequence: u8,
}

/// The name of a model's own file, or of its card.
pub(super) fn file_name(kind: ModelType, version: u32, ending: &str) -> String {
    format!("{kind}-{version}{ending}")
}

/// The version that a text says.
pub(super) fn version_of(text: &str) -> Result<u32, ModelError> {
    let number = text.parse::<u32>().ok().filter(|number| (1..=999_999).contains(number));
    // One text for one version: neither `01` nor `+1`.
    number
        .filter(|number| number.to_string() == text)
        .ok_or_else(|| ModelError::UnknownVersion(text.to_owned()))
}

/// The model in the files. An ensemble asks for its members by type and version.
pub(super) fn load(
    kind: ModelType,
    version: u32,
    files: ModelFiles,
    member: &mut dyn FnMut(ModelType, u32) -> Result<Arc<Model>, ModelError>,
) -> Result<Model, ModelError> {
    let name = file_name(kind, version, ".json");
    let card_name = file_name(kind, version, ".card.json");
    let hash = blake3::hash(&files.model).to_hex().to_string();
    let card: Card = parse(&card_name, &files.card)?;
    card.check(kind.name(), &version.to_string(), &hash)
        .map_err(|fault| ModelError::damaged(&card_name, fault))?;
    let scorer = match kind {
        ModelType::Ensemble => {
            let file: EnsembleFile = parse(&name, &files.model)?;
            check_head(&name, [&file.kind, &file.version], kind, version)?;
            ensemble(&name, &file, member)?
        }
        ModelType::GradientBoosting | ModelType::Sequence => {
            let file: TreesFile = parse(&name, &files.model)?;
            check_head(&name, [&file.kind, &file.version], kind, version)?;
            file.check().map_err(|fault| ModelError::damaged(&name, fault))?;
            let shapley = Box::new(Shapley::of(&file).map_err(|fault| ModelError::damaged(&name, fault))?);
            Scorer::Trees { forest: Forest::of(&file), shapley }
        }
    };
    let card_hash = blake3::hash(&files.card).to_hex().to_string();
    Ok(Model { kind, version, hash, card_hash, files, card, scorer })
}

impl Model {
    /// The model in files that were kept. An ensemble finds its members among `members`.
    pub fn of_files(
        kind: ModelType,
        version: &str,
        files: ModelFiles,
        members: &[Arc<Self>],
    ) -> Result<Self, ModelError> {
        let mut member = |kind: ModelType, version: u32| {
            let found = members.iter().find(|member| member.kind == kind && member.version == version);
            let missing = || ModelError::Missing { model: kind.name(), version: version.to_string() };
            found.cloned().ok_or_else(missing)
        };
        load(kind, version_of(version)?, files, &mut member)
    }
}

fn ensemble(
    name: &str,
    file: &EnsembleFile,
    member: &mut dyn FnMut(ModelType, u32) -> Result<Arc<Model>, ModelError>,
) -> Result<Scorer, ModelError> {
    let damaged = |fault: &str| Err(ModelError::damaged(name, fault));
    if file.format != "pando.risk.ensemble/1" {
        return damaged("its format is not pando.risk.ensemble/1");
    }
    let weights = &file.weights_in_quarters;
    if weights.is_empty() || weights.len() > BANDS_MAX {
        return damaged("it has no weights, or more than one for each month");
    }
    if !weights.is_sorted_by(|a, b| a.up_to_months < b.up_to_months) {
        return damaged("the months of its weights do not rise");
    }
    if weights.iter().any(|band| u16::from(band.gradient_boosting) + u16::from(band.sequence) != 4) {
        return damaged("weights are not four quarters together");
    }
    let mut find = |kind: ModelType, wanted: &Member| {
        let found = member(kind, version_of(&wanted.version)?)?;
        if found.hash() == wanted.blake3 {
            return Ok(found);
        }
        Err(ModelError::damaged(name, format!("its member {kind} has the hash {}", found.hash())))
    };
    let members = [
        find(ModelType::GradientBoosting, &file.members.gradient_boosting)?,
        find(ModelType::Sequence, &file.members.sequence)?,
    ];
    let bands = weights.iter().map(|band| Band {
        up_to_months: band.up_to_months,
        quarters: [band.gradient_boosting, band.sequence],
    });
    Ok(Scorer::Ensemble { members, bands: bands.collect() })
}

fn check_head(name: &str, head: [&str; 2], kind: ModelType, version: u32) -> Result<(), ModelError> {
    if head == [kind.name(), &version.to_string()] {
        return Ok(());
    }
    Err(ModelError::damaged(name, format!("it holds {} version {}", head[0], head[1])))
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|fault| ModelError::damaged(name, fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_written_in_one_way() {
        assert_eq!(version_of("12").unwrap(), 12);
        for text in ["", "0", "01", "+1", "-1", "1.0", "1000000", "latest", "../1"] {
            assert!(version_of(text).is_err(), "{text}");
        }
    }
}

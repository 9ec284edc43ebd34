//! Where the files of models lie: in the program, and in a folder.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::ModelError;
use super::files::ModelFiles;
use super::loading::{file_name, version_of};
use super::scorer::ModelType;

/// Files of a folder that are looked at: more are a mistake.
const FILES_MAX: usize = 1_000;

/// The shipped models, each with its card. All have the version 1.
const SHIPPED: [(ModelType, &[u8], &[u8]); 3] = [
    (
        ModelType::GradientBoosting,
        include_bytes!("../../models/gradient_boosting-1.json"),
        include_bytes!("../../models/gradient_boosting-1.card.json"),
    ),
    (
        ModelType::Sequence,
        include_bytes!("../../models/sequence-1.json"),
        include_bytes!("../../models/sequence-1.card.json"),
    ),
    (
        ModelType::Ensemble,
        include_bytes!("../../models/ensemble-1.json"),
        include_bytes!("../../models/ensemble-1.card.json"),
    ),
];
const SHIPPED_VERSION: u32 = 1;

/// The hashes of the shipped models: a file in the folder of the same name has to be the same.
pub(super) fn shipped_hashes() -> HashMap<(ModelType, u32), String> {
    let hash = |model: &[u8]| blake3::hash(model).to_hex().to_string();
    SHIPPED.iter().map(|(kind, model, _)| ((*kind, SHIPPED_VERSION), hash(model))).collect()
}

/// The places of files.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) folder: Option<PathBuf>,
    pub(super) file_bytes_max: u64,
}

impl Shelf {
    /// Every version of every type: the shipped ones, and those in the folder.
    pub(super) fn versions(&self) -> Result<BTreeSet<(ModelType, u32)>, ModelError> {
        let mut found: BTreeSet<_> = SHIPPED.iter().map(|(kind, ..)| (*kind, SHIPPED_VERSION)).collect();
        let Some(folder) = &self.folder else { return Ok(found) };
        let unreadable = |cause| ModelError::Unreadable { path: folder.clone(), cause };
        for (number, entry) in fs::read_dir(folder).map_err(unreadable)?.enumerate() {
            if number >= FILES_MAX {
                return Err(unreadable(io::Error::other(format!("it has more than {FILES_MAX} files"))));
            }
            let name = entry.map_err(unreadable)?.file_name();
            found.extend(name.to_str().and_then(model_named));
        }
        Ok(found)
    }

    /// The files of one version. A file in the folder comes before a shipped one, so that a difference is noticed.
    pub(super) fn read(&self, kind: ModelType, version: u32) -> Result<ModelFiles, ModelError> {
        if let Some(folder) = &self.folder {
            let path = folder.join(file_name(kind, version, ".json"));
            match self.read_file(&path) {
                Err(ModelError::Unreadable { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
                model => {
                    let card = self.read_file(&folder.join(file_name(kind, version, ".card.json")))?;
                    return Ok(ModelFiles { model: model?, card });
                }
            }
        }
        let shipped = SHIPPED.iter().find(|(shipped, ..)| *shipped == kind && version == SHIPPED_VERSION);
        let missing = || ModelError::Missing { model: kind.name(), version: version.to_string() };
        let (_, model, card) = shipped.ok_or_else(missing)?;
        Ok(ModelFiles { model: model.to_vec(), card: card.to_vec() })
    }

    fn read_file(&self, path: &Path) -> Result<Vec<u8>, ModelError> {
        let unreadable = |cause| ModelError::Unreadable { path: path.to_owned(), cause };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(self.file_bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > self.file_bytes_max {
            return Err(unreadable(io::Error::other(format!(
                "it has more than {} bytes",
                self.file_bytes_max
            ))));
        }
        Ok(bytes)
    }
}

/// `sequence-12.json` is version 12 of the sequence model. Other names are nothing of ours.
fn model_named(file: &str) -> Option<(ModelType, u32)> {
    let (kind, version) = file.strip_suffix(".json")?.rsplit_once('-')?;
    let kind = ModelType::ALL.into_iter().find(|known| known.name() == kind)?;
    Some((kind, version_of(version).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_say_type_and_version() {
        assert_eq!(model_named("sequence-12.json"), Some((ModelType::Sequence, 12)));
        for name in
            ["sequence-12.card.json", "xgboost-1.json", "sequence-01.json", "sequence.json", "a-1.txt"]
        {
            assert_eq!(model_named(name), None, "{name}");
        }
    }
}

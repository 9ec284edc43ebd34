//! All models by type and version: loaded once, swapped while requests go on, and thrown out when nobody asks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pando_clock::Clock;

use super::error::ModelError;
use super::loading::{file_name, load, version_of};
use super::scorer::{Model, ModelType};
use super::shelf::{Shelf, shipped_hashes};

/// Options of [`Models`].
#[derive(Clone, Debug)]
pub struct ModelsOptions {
    /// A folder with more models, named `TYPE-VERSION.json` and `TYPE-VERSION.card.json`. The shipped ones are in the program.
    pub folder: Option<PathBuf>,
    /// Versions that stay in use though newer ones are there.
    pub pins: Vec<(ModelType, String)>,
    /// Loaded models besides those in use; the one that was not asked for longest makes room.
    pub loaded_max: usize,
    /// A model that is not in use and was not asked for in this time is thrown out.
    pub idle_ms: u64,
    /// A greater file is refused.
    pub file_bytes_max: u64,
}

impl Default for ModelsOptions {
    fn default() -> Self {
        Self { folder: None, pins: Vec::new(), loaded_max: 8, idle_ms: 3_600_000, file_bytes_max: 16 << 20 }
    }
}

/// The models. Loading blocks, for some milliseconds and a read of files; [`Models::current`] never does.
#[derive(Debug)]
pub struct Models {
    options: ModelsOptions,
    shelf: Shelf,
    clock: Clock,
    /// The models that [`Models::current`] gives. A swap puts another map here; requests keep the model that they have.
    current: RwLock<Arc<HashMap<ModelType, Arc<Model>>>>,
    /// Loading happens under this lock, so that no version is loaded twice at a time.
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    models: HashMap<(ModelType, u32), Kept>,
    /// The hash of every version that was ever loaded: stored decisions name versions, whose files must not change.
    hashes: HashMap<(ModelType, u32), String>,
    pins: HashMap<ModelType, u32>,
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    model: Arc<Model>,
    /// The number of its last use, which orders them though the clock stands still.
    used: u64,
    used_micros: i64,
}

impl Models {
    /// The shipped models and those of the folder. One bad file among those that are to be used is an error.
    pub fn open(options: ModelsOptions, clock: Clock) -> Result<Self, ModelError> {
        let mut pins = HashMap::new();
        for (kind, version) in &options.pins {
            pins.insert(*kind, version_of(version)?);
        }
        let shelf = Shelf { folder: options.folder.clone(), file_bytes_max: options.file_bytes_max };
        let models = Self {
            options,
            shelf,
            clock,
            current: RwLock::default(),
            loaded: Mutex::new(Loaded { pins, hashes: shipped_hashes(), ..Loaded::default() }),
        };
        models.refresh()?;
        Ok(models)
    }

    /// The model in use of a type: the pinned version, or the newest one at the last refresh.
    pub fn current(&self, kind: ModelType) -> Result<Arc<Model>, ModelError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let missing = || ModelError::Missing { model: kind.name(), version: "in use".to_owned() };
        current.get(&kind).cloned().ok_or_else(missing)
    }

    /// All models in use, as they are at this moment.
    pub fn in_use(&self) -> Arc<HashMap<ModelType, Arc<Model>>> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One version of a type, loaded if it is not: for a replay, or a request that names a version.
    pub fn version(&self, kind: ModelType, version: &str) -> Result<Arc<Model>, ModelError> {
        let version = version_of(version)?;
        if let Some(current) = self.current(kind).ok().filter(|current| current.version == version) {
            return Ok(current);
        }
        let mut loaded = self.lock();
        let model = self.load(&mut loaded, kind, version)?;
        self.evict(&mut loaded);
        Ok(model)
    }

    /// Looks for new versions, and puts them into use all at once. If one of them is bad, all stays as it was.
    /// Gives the models that came into use.
    pub fn refresh(&self) -> Result<Vec<Arc<Model>>, ModelError> {
        let mut loaded = self.lock();
        let pins = loaded.pins.clone();
        self.choose(&mut loaded, &pins)
    }

    /// Holds a type at one version, or lets it go to the newest one.
    pub fn pin(&self, kind: ModelType, version: Option<&str>) -> Result<Vec<Arc<Model>>, ModelError> {
        let mut loaded = self.lock();
        let mut pins = loaded.pins.clone();
        match version {
            Some(version) => pins.insert(kind, version_of(version)?),
            None => pins.remove(&kind),
        };
        let chosen = self.choose(&mut loaded, &pins)?;
        loaded.pins = pins;
        Ok(chosen)
    }

    /// How many models are loaded, with those in use and the members of ensembles.
    pub fn loaded_count(&self) -> usize {
        self.lock().models.len()
    }

    fn choose(
        &self,
        loaded: &mut Loaded,
        pins: &HashMap<ModelType, u32>,
    ) -> Result<Vec<Arc<Model>>, ModelError> {
        let versions = self.shelf.versions()?;
        let mut chosen = HashMap::new();
        for kind in ModelType::ALL {
            let newest =
                versions.iter().filter(|(found, _)| *found == kind).map(|(_, version)| *version).max();
            let pinned = pins.get(&kind).copied();
            if let Some(version) = pinned.or(newest) {
                chosen.insert(kind, self.load(loaded, kind, version)?);
            }
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new =
            |model: &&Arc<Model>| current.get(&model.kind).is_none_or(|old| !Arc::ptr_eq(old, model));
        let came: Vec<Arc<Model>> = chosen.values().filter(is_new).cloned().collect();
        *current = Arc::new(chosen);
        drop(current);
        self.evict(loaded);
        Ok(came)
    }

    fn load(&self, loaded: &mut Loaded, kind: ModelType, version: u32) -> Result<Arc<Model>, ModelError> {
        loaded.uses += 1;
        let (used, used_micros) = (loaded.uses, self.clock.now().as_micros());
        if let Some(kept) = loaded.models.get_mut(&(kind, version)) {
            (kept.used, kept.used_micros) = (used, used_micros);
            return Ok(Arc::clone(&kept.model));
        }
        let files = self.shelf.read(kind, version)?;
        // Members are of the other types, so that this ends.
        let mut member = |kind, version| self.load(loaded, kind, version);
        let model = Arc::new(load(kind, version, files, &mut member)?);
        let known = loaded.hashes.entry((kind, version)).or_insert_with(|| model.hash.clone());
        if *known != model.hash {
            let fault = "it was changed: a changed model needs a version of its own";
            return Err(ModelError::damaged(&file_name(kind, version, ".json"), fault));
        }
        loaded.models.insert((kind, version), Kept { model: Arc::clone(&model), used, used_micros });
        Ok(model)
    }

    /// Throws out what was not asked for in a while, and then what is too much. A model in use is held by others as well:
    /// by [`Models::current`], by an ensemble, or by a request.
    fn evict(&self, loaded: &mut Loaded) {
        let idle_micros = i64::try_from(self.options.idle_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let idle_since = self.clock.now().as_micros().saturating_sub(idle_micros);
        loaded.models.retain(|_, kept| kept.is_in_use() || kept.used_micros > idle_since);
        let unused = loaded.models.iter().filter(|(_, kept)| !kept.is_in_use());
        let mut unused: Vec<_> = unused.map(|(key, kept)| (kept.used, *key)).collect();
        unused.sort_unstable();
        let too_many = unused.len().saturating_sub(self.options.loaded_max);
        for (_, key) in &unused[..too_many] {
            loaded.models.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // A panic under the lock leaves whole entries behind: each is inserted when it is ready.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.model) > 1
    }
}

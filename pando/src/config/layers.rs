//! The layers of settings: compiled-in defaults, file, environment, flags. A later layer wins, and each value remembers
//! its layer.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use pando_telemetry::redact;
use serde::Deserialize;
use serde_json::Value as Json;

use super::environment::{self, Environment};
use super::known::{Known, leaves};
use super::listing::may_hold_secret;
use super::{Config, ConfigError, DEFAULTS};

/// The name of the lowest layer.
pub(super) const DEFAULT: &str = "default";

/// Where settings may come from. Passed in, so that two platforms in one process can differ.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named on the command line.
    pub file: Option<PathBuf>,
    /// Where `pando.toml` is looked for when no file is named.
    pub working_dir: PathBuf,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The command line.
    pub flags: Flags,
}

/// Settings given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--roles`, separated by commas
    pub roles: Option<String>,
}

/// Settings with the place each one came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings in force.
    pub config: Config,
    /// Notes for the operator that are not errors.
    pub notes: Vec<String>,
    pub(super) figment: Figment,
}

impl Sources {
    /// The environment and working directory of this process, which nothing else in the program reads.
    pub fn of_process(file: Option<PathBuf>, flags: Flags) -> Self {
        // Names and values that are not text cannot be settings of ours.
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            file,
            working_dir: PathBuf::from("."),
            environment: std::env::vars_os().filter_map(text).collect(),
            flags,
        }
    }

    /// Reads every layer and checks the result; every problem is reported at once.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let loaded = self.read()?;
        let contradictions = loaded.config.contradictions();
        let problems: Vec<String> = contradictions
            .into_iter()
            .map(|(key, reason)| format!("{}: {key}: {reason}", loaded.origin(key)))
            .collect();
        if problems.is_empty() { Ok(loaded) } else { Err(ConfigError { problems }) }
    }

    /// Reads every layer. Values that are readable but make no sense together are left for [`Config::contradictions`].
    pub fn read(&self) -> Result<Loaded, ConfigError> {
        let (known, mut problems) = (Known::settings(), Vec::new());
        let mut figment = Figment::from(Layer::of_text(DEFAULT, DEFAULTS).map_err(only)?);
        if let Some(path) = self.config_file() {
            let layer = Layer::of_file(&path).map_err(only)?;
            problems.extend(
                known.strangers(&layer.dict).into_iter().map(|key| stranger(&known, &layer.origin, &key)),
            );
            figment = figment.merge(layer);
        }
        let read = environment::read(&self.environment, &figment, &known);
        let Environment { layers, notes, problems: more } = read;
        problems.extend(more);
        for layer in layers.into_iter().chain(self.flags.layers()) {
            figment = figment.merge(layer);
        }
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        let tree = tree_of(&figment).map_err(only)?;
        match Config::deserialize(&tree) {
            Ok(mut config) => {
                config.tls = config.tls.within(&config.data_dir);
                Ok(Loaded { config, notes, figment })
            }
            Err(error) => Err(ConfigError { problems: unreadable(&figment, &tree, &error) }),
        }
    }

    fn config_file(&self) -> Option<PathBuf> {
        let variable =
            self.environment.iter().find(|(name, value)| name == "PANDO_CONFIG" && !value.is_empty());
        let in_place = self.working_dir.join("pando.toml");
        self.file
            .clone()
            .or_else(|| variable.map(|(_, value)| PathBuf::from(value)))
            .or_else(|| in_place.exists().then_some(in_place))
    }
}

impl Flags {
    fn layers(&self) -> Vec<Layer> {
        let data = self.data.as_ref().map(|path| path.to_string_lossy().into_owned());
        let roles = self.roles.as_ref().map(|roles| environment::list(roles));
        let given = [
            ("http.listen", "--listen", self.listen.clone().map(Value::from)),
            ("data_dir", "--data", data.map(Value::from)),
            ("roles", "--roles", roles),
        ];
        given.into_iter().filter_map(|(key, flag, value)| Some(Layer::of_one(flag, key, value?))).collect()
    }
}

/// Settings that came from one place.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) origin: String,
    dict: Dict,
}

impl Layer {
    pub(super) fn of_one(origin: &str, key: &str, value: Value) -> Self {
        let nested = figment::util::nest(key, value);
        Self { origin: origin.to_owned(), dict: nested.into_dict().unwrap_or_default() }
    }

    pub(super) fn of_text(origin: &str, text: &str) -> Result<Self, String> {
        let table = text.parse::<toml::Table>().map_err(|error| {
            // Only the line's number: the line itself may hold a password.
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start].matches('\n').count() + 1;
            format!("{origin}: line {line}: {}", error.message())
        })?;
        let value = Value::serialize(table).map_err(|error| format!("{origin}: {error}"))?;
        Ok(Self { origin: origin.to_owned(), dict: value.into_dict().unwrap_or_default() })
    }

    fn of_file(path: &Path) -> Result<Self, String> {
        let origin = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{origin}: {error}"))?;
        Self::of_text(&origin, &text)
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

pub(super) fn stranger(known: &Known, origin: &str, key: &str) -> String {
    format!("{origin}: there is no setting `{key}`; the nearest one is `{}`", known.nearest(key))
}

/// Every value in force, as one tree. The options are read from it and not from figment itself: figment's reader would
/// be compiled for every one of their fields, which was a third of the code of this crate.
pub(super) fn tree_of(figment: &Figment) -> Result<Json, String> {
    figment.extract::<Json>().map_err(|error| redact(&error.to_string()))
}

/// The values of the wrong kind: where each was set, the setting, the value, and the expected kind. A value is bad if the
/// defaults cannot be read with it.
fn unreadable(figment: &Figment, tree: &Json, error: &serde_json::Error) -> Vec<String> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut problems = Vec::new();
    for (key, value) in leaves(tree) {
        let mut tried = defaults.clone();
        put(&mut tried, &key, value);
        if let Err(error) = Config::deserialize(&tried) {
            let origin = figment.find_metadata(&key).map_or(DEFAULT, |metadata| metadata.name.as_ref());
            problems.push(format!("{origin}: {key}: {}", reason(&key, &error.to_string())));
        }
    }
    if problems.is_empty() {
        problems.push(redact(&error.to_string()));
    }
    problems
}

fn put(tree: &mut Json, key: &str, value: Json) {
    let mut here = tree;
    for part in key.split('.') {
        if !here.is_object() {
            *here = Json::Object(serde_json::Map::new());
        }
        here = &mut here[part];
    }
    *here = value;
}

fn reason(key: &str, message: &str) -> String {
    if message == "invalid socket address syntax" {
        return "expected an address and a port, such as 127.0.0.1:8080".to_owned();
    }
    let is_hidden = may_hold_secret(key);
    let unknown = message.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected "));
    if let Some((found, expected)) = unknown {
        let known = expected.trim_start_matches("one of ").replace('`', "");
        return match is_hidden {
            true => format!("must be one of {known}"),
            false => format!("{found} is not one of {known}"),
        };
    }
    match message.rsplit_once(", expected ") {
        // The found value is the secret.
        Some((_, expected)) if is_hidden => format!("expected {expected}"),
        _ => redact(message),
    }
}

fn only(problem: String) -> ConfigError {
    ConfigError { problems: vec![problem] }
}

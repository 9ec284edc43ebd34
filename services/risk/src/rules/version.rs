//! The life of a ruleset: draft, tested, published, retired. No storage: the caller keeps the versions.

use serde::{Deserialize, Serialize};

use super::ruleset::Ruleset;
use super::self_tests::TestFailure;

/// Where a version is in its life. It moves only forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Written, and not tested yet.
    Draft,
    /// Has passed its own tests.
    Tested,
    /// Decides.
    Published,
    /// Has decided, and another version does now.
    Retired,
}

/// One version of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The number, which no other version of the ruleset has.
    pub number: u64,
    /// The hash of the document.
    pub hash: String,
    /// Where the version is in its life.
    pub state: State,
    /// The older version whose document this one has, if it was made by a roll-back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restores: Option<u64>,
    /// The version that decided before the roll-back, if this one was made by a roll-back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rolled_back_from: Option<u64>,
}

/// The versions that a publication or a roll-back changes, to be stored in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The version that decides from now on.
    pub published: Version,
    /// The version that decided until now.
    pub retired: Option<Version>,
}

/// The reason why a version does not change its state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The step is not one from this state.
    #[error("version {number} is {state:?} and cannot be {step}")]
    State {
        /// The version.
        number: u64,
        /// Its state.
        state: State,
        /// The step as a participle.
        step: &'static str,
    },
    /// The document is another one than the version was made of.
    #[error("the document of version {number} has the hash {expected}, and the one at hand has {found}")]
    OtherDocument {
        /// The version.
        number: u64,
        /// The hash of the version.
        expected: String,
        /// The hash of the document at hand.
        found: String,
    },
    /// A ruleset that carries no tests cannot be tested.
    #[error("the ruleset carries no tests")]
    NoTests,
    /// Tests failed.
    #[error("{} differences from the tests that the ruleset carries", .0.len())]
    TestsFailed(Vec<TestFailure>),
    /// Another version is said to decide than one that is published.
    #[error("version {0} is not published, so it is not the live one")]
    NotLive(u64),
    /// A new version has a higher number than the ones before.
    #[error("version {number} does not follow version {live}")]
    Number {
        /// The number of the new version.
        number: u64,
        /// The number of the live one.
        live: u64,
    },
}

impl Version {
    /// A draft of a ruleset.
    pub fn draft(number: u64, ruleset: &Ruleset) -> Self {
        let hash = ruleset.hash().to_owned();
        Self { number, hash, state: State::Draft, restores: None, rolled_back_from: None }
    }

    /// Runs the tests that the ruleset carries. A version that passes them may be published.
    pub fn test(self, ruleset: &Ruleset) -> Result<Self, VersionError> {
        if !matches!(self.state, State::Draft | State::Tested) {
            return Err(self.refuses("tested"));
        }
        self.check_document(ruleset)?;
        if ruleset.tests() == 0 {
            return Err(VersionError::NoTests);
        }
        let failures = ruleset.run_tests();
        if failures.is_empty() {
            return Ok(Self { state: State::Tested, ..self });
        }
        Err(VersionError::TestsFailed(failures))
    }

    /// Publishes a tested version, and retires the live one.
    pub fn publish(self, live: Option<Self>) -> Result<Publication, VersionError> {
        if self.state != State::Tested {
            return Err(self.refuses("published"));
        }
        let retired = live.map(Self::retire).transpose()?;
        if let Some(retired) = retired.as_ref().filter(|retired| retired.number >= self.number) {
            return Err(VersionError::Number { number: self.number, live: retired.number });
        }
        Ok(Publication { published: Self { state: State::Published, ..self }, retired })
    }

    /// Publishes the document of this retired version again, as a new version with the next number.
    pub fn roll_back(&self, next_number: u64, live: Self) -> Result<Publication, VersionError> {
        if self.state != State::Retired {
            return Err(self.refuses("rolled back to"));
        }
        if next_number <= live.number.max(self.number) {
            return Err(VersionError::Number { number: next_number, live: live.number });
        }
        let retired = live.retire()?;
        let published = Self {
            number: next_number,
            hash: self.hash.clone(),
            state: State::Published,
            restores: Some(self.number),
            rolled_back_from: Some(retired.number),
        };
        Ok(Publication { published, retired: Some(retired) })
    }

    /// Whether the document at hand is the one of this version.
    pub fn check_document(&self, ruleset: &Ruleset) -> Result<(), VersionError> {
        if self.hash == ruleset.hash() {
            return Ok(());
        }
        let (expected, found) = (self.hash.clone(), ruleset.hash().to_owned());
        Err(VersionError::OtherDocument { number: self.number, expected, found })
    }

    fn retire(self) -> Result<Self, VersionError> {
        if self.state != State::Published {
            return Err(VersionError::NotLive(self.number));
        }
        Ok(Self { state: State::Retired, ..self })
    }

    fn refuses(&self, step: &'static str) -> VersionError {
        VersionError::State { number: self.number, state: self.state, step }
    }
}

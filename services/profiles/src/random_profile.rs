//! Creates a profile with invented fields, for trying things out and for load tests.

use pando_resilience::Call;
use pando_service::{Fault, Written};
use serde_json::json;
use uuid::Uuid;

use crate::Profiles;
use crate::domain::profile::{Profile, ProfileDraft};

/// Names of several scripts, so that whoever tries things out meets them early.
const GIVEN: [&str; 16] = [
    "Ada",
    "Zoë",
    "Björn",
    "Chidi",
    "Ximena",
    "Fatima",
    "Grace",
    "李雷",
    "Nadia",
    "Olu",
    "Priya",
    "Søren",
    "Tomás",
    "Юлия",
    "さくら",
    "Aoife",
];
const FAMILY: [&str; 16] = [
    "Lovelace",
    "O'Brien",
    "Ångström",
    "Okafor",
    "Núñez",
    "Hassan",
    "Hopper",
    "Wang",
    "Petrova",
    "Adeyemi",
    "Nair",
    "Kierkegaard",
    "Silva",
    "Иванова",
    "田中",
    "Ní Dhomhnaill",
];

impl Profiles {
    /// Makes a profile that cannot collide with another: its e-mail is made of a fresh id.
    pub async fn create_random_profile(&self, call: &Call) -> Result<Written<Profile>, Fault> {
        let seed = self.0.clock.fresh_id();
        let fields = made_up(seed);
        let fields = fields.as_object().expect("the fields are written as an object just above");
        self.create_from(call, |rules| Ok(ProfileDraft::parse(fields, rules)?)).await
    }
}

/// Made-up fields, a function of the seed.
pub(crate) fn made_up(seed: Uuid) -> serde_json::Value {
    // The low bytes of the id are its random ones; the time in the high bytes would give neighbours one name.
    let bytes = seed.as_bytes();
    let given = GIVEN[usize::from(bytes[15]) % GIVEN.len()];
    let family = FAMILY[usize::from(bytes[14]) % FAMILY.len()];
    json!({
        "name": format!("{given} {family}"),
        "email": format!("person-{}@example.org", seed.simple()),
        "bio": format!("{given} is a made-up person."),
    })
}

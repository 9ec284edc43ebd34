//! Shows the models: what they are, on what they were measured, and how well they did.

use pando_service::prelude::*;
use serde_json::{Value, json};

use crate::Risk;
use crate::model::{ModelInfo, ModelType};

impl Risk {
    /// The card of the model in use of a type.
    pub fn get_model(&self, name: &str) -> Result<ModelInfo, Fault> {
        let kind: ModelType = name.parse().map_err(|_| Fault::not_found("model"))?;
        Ok(self.0.models.current(kind).map_err(Fault::internal)?.info())
    }

    /// The cards of all models in use, by type.
    pub fn list_models(&self) -> Result<Value, Fault> {
        let mut models = serde_json::Map::new();
        for kind in ModelType::ALL {
            let info = self.0.models.current(kind).map_err(Fault::internal)?.info();
            models.insert(kind.name().to_owned(), serde_json::to_value(info).map_err(Fault::internal)?);
        }
        Ok(json!({"models": models}))
    }
}

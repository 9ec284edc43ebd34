//! Reads a category.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::category::Category;
use super::store::categories;
use crate::Commerce;
use crate::domain::faults::no_category;

impl Commerce {
    /// The category of this id.
    pub async fn get_category(&self, call: &Call, id: Uuid) -> Result<Category, Fault> {
        let read = self.0.parts.database.read(call);
        categories::shown(&read, call.tenant(), vec![id]).await?.pop().ok_or_else(no_category)
    }
}

//! Writes everything that is known of one person as one JSON document.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use pando_resilience::{Call, Deadline};
use pando_service::Fault;
use serde_json::{Value, json};

use crate::domain::faults::no_profile;
use crate::domain::parts::{Address, Preferences};
use crate::domain::profile::ProfileId;
use crate::export_profiles::Piece;
use crate::{Profiles, images, store};

/// How many changes are read at once, which limits the memory of an export.
const PAGE: usize = 500;

/// The progress of an export.
enum Position {
    /// Changes before this version are still to be written; and whether any change was written already.
    Before(Option<i64>, bool),
    End,
    Done,
}

/// For how long a request to look at one person may hold a worker up before it is tried again.
const READ_BUDGET: Duration = Duration::from_secs(10);

impl Profiles {
    /// Everything that the tables hold about a person, deleted or not: the profile, its parts, and every change of them.
    pub async fn export_person(
        &self,
        call: &Call,
        id: ProfileId,
    ) -> Result<impl Stream<Item = Result<Bytes, Fault>> + Send + 'static + use<>, Fault> {
        Ok(self.person_pieces(call, id).await?.map_ok(|piece| piece.bytes))
    }

    /// The same, with the number of changes in each piece.
    pub(crate) async fn person_pieces(
        &self,
        call: &Call,
        id: ProfileId,
    ) -> Result<impl Stream<Item = Result<Piece, Fault>> + Send + 'static + use<>, Fault> {
        let (read, tenant) = (self.0.database.read(call), call.tenant());
        let stored = store::find_stored(&read, tenant, id).await?.ok_or_else(no_profile)?;
        let mut head = json!({
            "profile": stored.profile,
            "created_by": stored.created_by,
            "deleted_at": stored.deleted_at,
            "address": store::parts::find::<Address>(&read, tenant, id).await?,
            "preferences": store::parts::find::<Preferences>(&read, tenant, id).await?,
            "images": images::of_person(&read, tenant, id).await?,
            "exported_at": self.0.clock.now(),
        })
        .to_string();
        // The object goes on.
        head.pop();
        head.push_str(",\"history\":[");
        let start = stream::iter([Ok(Piece { bytes: head.into(), ..Piece::default() })]);
        let (profiles, call) = (self.clone(), call.clone());
        let rest = stream::try_unfold(Position::Before(None, false), move |position| {
            let (profiles, call) = (profiles.clone(), call.clone());
            async move { profiles.export_changes(&call, id, position).await }
        });
        Ok(start.chain(rest))
    }

    async fn export_changes(
        &self,
        call: &Call,
        id: ProfileId,
        position: Position,
    ) -> Result<Option<(Piece, Position)>, Fault> {
        let (before, comma) = match position {
            Position::Before(before, comma) => (before, comma),
            Position::End => {
                let piece = Piece { bytes: Bytes::from_static(b"]}"), ..Piece::default() };
                return Ok(Some((piece, Position::Done)));
            }
            Position::Done => return Ok(None),
        };
        let call = call.with_deadline(Deadline::after(READ_BUDGET));
        let changes = self.list_changes(&call, id, before, PAGE).await?;
        let written: Vec<String> = changes
            .iter()
            .map(|change| serde_json::to_value(change).unwrap_or(Value::Null).to_string())
            .collect();
        let mut text = written.join(",");
        if comma && !text.is_empty() {
            text.insert(0, ',');
        }
        let next = match changes.last() {
            Some(last) if changes.len() == PAGE => Position::Before(Some(last.version), true),
            _ => Position::End,
        };
        let records = changes.len() as u64;
        Ok(Some((Piece { bytes: text.into(), records, last: None }, next)))
    }
}

//! Writes all living profiles as a stream, in the order of their ids.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use pando_resilience::{Call, Deadline};
use pando_service::Fault;
use uuid::Uuid;

use crate::domain::profile::ProfileId;
use crate::domain::records::RecordFormat;
use crate::{Profiles, store};

/// How many profiles are read at once: the most an export holds in memory.
const PAGE: usize = 1000;

/// How long the reading of one page may take; the whole export takes as long as its reader.
const PAGE_BUDGET: Duration = Duration::from_secs(10);

/// A part of an export, on its way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    /// How many records are in it.
    pub(crate) records: u64,
    /// The last of them.
    pub(crate) last: Option<ProfileId>,
}

impl Profiles {
    /// All living profiles after an id, as the bytes of a file. A profile that lives from the first page to the last is in it.
    pub fn export_profiles(
        &self,
        call: &Call,
        format: RecordFormat,
        after: Option<ProfileId>,
    ) -> impl Stream<Item = Result<Bytes, Fault>> + Send + 'static + use<> {
        self.profile_pieces(call, format, after).map_ok(|piece| piece.bytes)
    }

    /// The same, with how far each piece goes.
    pub(crate) fn profile_pieces(
        &self,
        call: &Call,
        format: RecordFormat,
        after: Option<ProfileId>,
    ) -> impl Stream<Item = Result<Piece, Fault>> + Send + 'static + use<> {
        let (profiles, call) = (self.clone(), call.clone());
        let start = Position::Header(after.map_or(Uuid::nil(), Uuid::from));
        stream::try_unfold(start, move |position| {
            let (profiles, call) = (profiles.clone(), call.clone());
            async move { profiles.export_page(&call, format, position).await }
        })
    }

    async fn export_page(
        &self,
        call: &Call,
        format: RecordFormat,
        position: Position,
    ) -> Result<Option<(Piece, Position)>, Fault> {
        let after = match position {
            Position::Header(after) => {
                let piece = Piece { bytes: format.header(), ..Piece::default() };
                return Ok(Some((piece, Position::After(after))));
            }
            Position::After(after) => after,
            Position::End => return Ok(None),
        };
        let call = call.with_deadline(Deadline::after(PAGE_BUDGET));
        let read = self.0.database.read(&call);
        let page = store::lists::in_id_order(&read, call.tenant(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let next = if page.len() < PAGE { Position::End } else { Position::After(last.id.into()) };
        let mut bytes = Vec::with_capacity(page.len() * 256);
        page.iter().for_each(|profile| format.write(profile, &mut bytes));
        let piece = Piece { bytes: bytes.into(), records: page.len() as u64, last: Some(last.id) };
        Ok(Some((piece, next)))
    }
}

enum Position {
    Header(Uuid),
    After(Uuid),
    End,
}

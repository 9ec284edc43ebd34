//! Works on a case: opens it, assigns it, notes something, proposes an outcome, and confirms it with a second pair of eyes.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Risk;
use crate::domain::assessment::Assessed;
use crate::domain::case::{Case, CaseNote, CaseOutcome, CaseRecord, CaseStatus, CaseStep, no_case};
use crate::domain::events;
use crate::read_cases::NOTES_MAX;
use crate::store::cases;

const NAME_CHARS_MAX: usize = 200;
const NOTE_CHARS_MAX: usize = 10_000;

/// The work that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// `assignee` works on the case, or nobody.
    Assign,
    /// `note` is written down.
    Note,
    /// `outcome` is proposed, with a `note`.
    Propose,
    /// The proposal is confirmed, or taken back if `agree` is false, with a `note`.
    Confirm,
}

impl Risk {
    /// Opens a case for each assessment that a person has to look at, in the transaction that stores them.
    pub(crate) async fn open_cases(&self, write: &mut Write, assessed: &[Assessed]) -> Result<(), Fault> {
        let clock = &self.0.parts.clock;
        let opened = |one: &Assessed| CaseRecord::of_assessment(clock.fresh_id(), one, one.created_at);
        let opened: Vec<CaseRecord> = assessed.iter().filter_map(opened).collect();
        cases::open(&mut write.tx, write.call.tenant(), &opened).await
    }

    /// Takes a step of the work on a case.
    pub async fn work_on_case(
        &self,
        call: &Call,
        (expected, id): (&Expected, Uuid),
        (work, fields): (Work, &Map<String, Value>),
    ) -> Result<Written<Case>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (step, note) = read(work, fields)?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            let before = cases::lock(&mut write.tx, tenant, id).await?.ok_or_else(no_case)?;
            expected.check("case", before.shown.version)?;
            let mut case = before.stepped(&step, (call.actor(), now))?;
            if !note.is_empty() {
                if step != CaseStep::Note {
                    case.shown.notes += 1;
                }
                if usize::try_from(case.shown.notes).is_ok_and(|notes| notes > NOTES_MAX) {
                    return Err(Fault::conflict(format!("a case has at most {NOTES_MAX} notes")));
                }
                let note = CaseNote { author: call.actor().to_owned(), note, written_at: now };
                cases::write_note(&mut write.tx, tenant, (&case, &note));
            }
            cases::update(&mut write.tx, tenant, &case);
            if case.shown.status == CaseStatus::Closed && step == CaseStep::Confirm {
                write.changed(events::case_closed(&case));
            } else {
                write.acted(act(&step, &case));
            }
            write.done(case.shown)
        });
        write.await
    }
}

fn act(step: &CaseStep, case: &CaseRecord) -> Change {
    let (event, data) = match step {
        CaseStep::Assign(assignee) => ("case.assigned", json!({"assignee": assignee})),
        CaseStep::Note => ("case.noted", json!({})),
        CaseStep::Propose(outcome) => ("case.proposed", json!({"outcome": outcome})),
        CaseStep::Confirm => ("case.confirmed", json!({})),
        CaseStep::Reopen => ("case.reopened", json!({})),
    };
    Change { event, id: case.id, version: case.shown.version, data }
}

/// The step that a request asks for, and the note that goes with it.
fn read(work: Work, fields: &Map<String, Value>) -> Result<(CaseStep, String), Fault> {
    let mut reader = FieldReader::new(fields);
    let note = reader.text("note", NOTE_CHARS_MAX);
    if note.contains('\0') || (work == Work::Note && note.trim().is_empty()) {
        reader.refuse("note", "INVALID_INPUT", "must have 1 to 10000 characters");
    }
    let step = match work {
        Work::Note => CaseStep::Note,
        Work::Assign => {
            let assignee = reader.text("assignee", NAME_CHARS_MAX);
            if assignee.contains('\0') {
                reader.refuse("assignee", "INVALID_INPUT", "must have at most 200 characters");
            }
            CaseStep::Assign(Some(assignee).filter(|name| !name.is_empty()))
        }
        Work::Propose => match fields.get("outcome").and_then(Value::as_str) {
            Some("approve") => CaseStep::Propose(CaseOutcome::Approve),
            Some("decline") => CaseStep::Propose(CaseOutcome::Decline),
            _ => {
                reader.refuse("outcome", "INVALID_INPUT", "must be approve or decline");
                CaseStep::Note
            }
        },
        Work::Confirm => match fields.get("agree") {
            Some(Value::Bool(true)) => CaseStep::Confirm,
            Some(Value::Bool(false)) => CaseStep::Reopen,
            _ => {
                reader.refuse("agree", "INVALID_INPUT", "must be true, or false to take the proposal back");
                CaseStep::Note
            }
        },
    };
    reader.finish()?;
    Ok((step, note))
}

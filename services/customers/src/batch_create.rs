//! Creates many customers at once.

use std::collections::HashSet;

use pando_service::prelude::*;
use pando_service::{FieldError, Violations};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::customer::{Given, refused};
use crate::domain::events;
use crate::domain::faults::{of_id, taken};
use crate::domain::id::CustomerId;
use crate::domain::planned::Planned;
use crate::{Customers, store};

/// The message about an id that another customer has.
const TAKEN: &str = "is taken by another customer";

/// How many customers a batch may have.
pub const BATCH_MAX: usize = 10_000;

/// The outcome of a batch. It is kept for repeats, so it says nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CustomersCreated)]
pub struct Created {
    /// The ids of the customers that were created, in the order of the request.
    pub ids: Vec<String>,
    /// The customers that were not created.
    pub refused: Vec<Refused>,
    /// The time of creation of the customers in `ids`.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A customer that was not created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CustomerRefused)]
pub struct Refused {
    /// The place in the request, from 0.
    pub index: usize,
    /// The field that is wrong: `id` if it is taken.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// The customers of a batch that can be created, and what is wrong with the others.
struct Plan {
    planned: Vec<Planned>,
    refused: Vec<(usize, FieldError)>,
}

impl Customers {
    /// Creates customers: all of them or none, or those that can be created if `partial`. An empty batch creates nothing.
    pub async fn batch_create(
        &self,
        call: &Call,
        given: Vec<Given>,
        partial: bool,
    ) -> Result<Written<Created>, Fault> {
        let now = self.0.parts.clock.now();
        let mut plan = self.plan(given, now)?;
        if !partial {
            refused(plan.refused.drain(..).map(|(_, fault)| fault).collect())?;
        }
        let plan = &plan;
        let write = self.0.base.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let free = match self.insert(&mut write, plan, partial).await {
                Ok(free) => free,
                Err(fault) => {
                    // Its connection is needed to find out which ids are taken.
                    write.tx.rollback().await?;
                    return Err(self.named(call, &plan.planned, fault).await);
                }
            };
            for planned in plan.planned.iter().filter(|planned| planned.is_in(free.as_ref())) {
                let change = events::created(&planned.id);
                if planned.is_chosen { write.changed(change) } else { write.created(change) }
            }
            write.done(plan.outcome(free.as_ref(), now))
        });
        write.await
    }

    fn plan(&self, given: Vec<Given>, now: Timestamp) -> Result<Plan, Fault> {
        if given.len() > BATCH_MAX {
            let message = format!("must have at most {BATCH_MAX} customers");
            return Err(Violations::one("customers", "too_many", message).into());
        }
        let (mut seen, mut faults) = (HashSet::with_capacity(given.len()), Vec::new());
        let mut plan = Plan { planned: Vec::with_capacity(given.len()), refused: Vec::new() };
        for (place, given) in given.into_iter().enumerate() {
            given.check(Some(place), &mut faults);
            if !faults.is_empty() {
                plan.refused.extend(faults.drain(..).map(|fault| (place, fault)));
                continue;
            }
            let is_chosen = !given.id.is_empty();
            let id = given.id_or(|| CustomerId::fresh(self.0.parts.clock.fresh_id())).map_err(of_id)?;
            if !seen.insert(id.key()) {
                plan.refused.push((place, taken(place, "is the id of an earlier customer of this batch")));
                continue;
            }
            let customer = given.born(&id, now);
            plan.planned.push(Planned { place, is_chosen, id, customer });
        }
        Ok(plan)
    }

    /// Inserts the customers; of a partial batch, the keys of those whose id was free.
    async fn insert(
        &self,
        write: &mut Write,
        plan: &Plan,
        partial: bool,
    ) -> Result<Option<HashSet<Uuid>>, Fault> {
        let (tx, call, planned) = (&mut write.tx, &write.call, &plan.planned);
        if partial {
            return Ok(Some(self.0.store.insert_free(tx, call, planned).await?));
        }
        if !planned.is_empty() {
            self.0.store.insert_all(tx, call, planned).await?;
        }
        Ok(None)
    }

    /// The fault of a batch that was not inserted: it names each customer whose id is taken.
    async fn named(&self, call: &Call, planned: &[Planned], fault: Fault) -> Fault {
        if fault.broken_rule().is_none() {
            return fault;
        }
        let read = self.0.parts.database.read_primary(call);
        let keys = planned.iter().map(|planned| planned.id.key()).collect();
        let in_use = match store::in_use(&read, call.tenant(), keys).await {
            Ok(in_use) => in_use,
            Err(error) => return error.into(),
        };
        let errors = planned.iter().filter(|planned| planned.is_in(Some(&in_use)));
        let errors = errors.map(|planned| taken(planned.place, TAKEN));
        let fault = Fault::conflict("customers of the batch have ids that are taken");
        errors.fold(fault, |fault, error| fault.with_field(error.field, error.code, error.message))
    }
}

impl Plan {
    /// The outcome, if the customers with these keys were inserted, or all.
    fn outcome(&self, inserted: Option<&HashSet<Uuid>>, created_at: Timestamp) -> Created {
        let mut refused = self.refused.clone();
        let left = self.planned.iter().filter(|planned| !planned.is_in(inserted));
        refused.extend(left.map(|planned| (planned.place, taken(planned.place, TAKEN))));
        refused.sort_by_key(|(place, _)| *place);
        let refused = refused.into_iter().map(|(index, fault)| Refused {
            index,
            field: fault.field.split_once("].").map_or(&*fault.field, |(_, field)| field).to_owned(),
            message: fault.message.to_string(),
        });
        let created = self.planned.iter().filter(|planned| planned.is_in(inserted));
        Created {
            ids: created.map(|planned| planned.id.as_str().to_owned()).collect(),
            refused: refused.collect(),
            created_at,
        }
    }
}

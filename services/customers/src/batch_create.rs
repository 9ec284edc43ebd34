//! Creates many customers at once.

use std::collections::HashSet;

use pando_service::prelude::*;
use pando_service::{FieldError, Violations};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::customer::{Customer, Given, refused};
use crate::domain::events;
use crate::domain::faults::{of_id, taken};
use crate::domain::id::CustomerId;
use crate::{Customers, store};

/// How many customers a batch may have.
pub const BATCH_MAX: usize = 10_000;

/// The outcome of a batch. It names no person, because it is kept for repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Created {
    /// The ids of the customers that were created, in the order of the request.
    pub ids: Vec<String>,
    /// The customers that were not created.
    pub refused: Vec<Refused>,
    /// When those that were created were.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A customer that was not created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// The place in the request, from 0.
    pub index: usize,
    /// The field that is wrong: `id` if it is taken.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// The customers of a batch that can be created, each with its place in the request.
struct Plan {
    places: Vec<usize>,
    customers: Vec<(CustomerId, Customer)>,
    /// The ids that the callers chose, which somebody may have asked for before.
    chosen: HashSet<uuid::Uuid>,
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
        let write = self.0.base.writes.once_patiently(call, |turn| {
            let given = given.clone();
            async move {
                let now = self.0.parts.clock.now();
                let mut plan = self.plan(given, now)?;
                if !partial {
                    plan.refuse_all()?;
                }
                let mut write = turn.begin().await?;
                if partial {
                    let free = store::insert_free(&mut write.tx, call.tenant(), &plan.customers).await?;
                    plan.keep(&free);
                } else if !plan.customers.is_empty() {
                    let inserted = store::insert_all(&mut write.tx, call.tenant(), &plan.customers).await;
                    if let Err(error) = inserted {
                        return Err(self.named(call, &plan, error).await);
                    }
                }
                for (id, _) in &plan.customers {
                    let change = events::created(id);
                    if plan.chosen.contains(&id.key()) {
                        write.changed(change)
                    } else {
                        write.created(change)
                    }
                }
                write.done(plan.outcome(now))
            }
        });
        write.await
    }

    fn plan(&self, given: Vec<Given>, now: Timestamp) -> Result<Plan, Fault> {
        if given.len() > BATCH_MAX {
            let message = format!("must have at most {BATCH_MAX} customers");
            return Err(Violations::one("customers", "too_many", message).into());
        }
        let (mut seen, mut faults) = (HashSet::with_capacity(given.len()), Vec::new());
        let mut plan = Plan {
            places: Vec::with_capacity(given.len()),
            customers: Vec::with_capacity(given.len()),
            chosen: HashSet::new(),
            refused: Vec::new(),
        };
        for (place, given) in given.into_iter().enumerate() {
            given.check(&format!("customers[{place}]."), &mut faults);
            if !faults.is_empty() {
                plan.refused.extend(faults.drain(..).map(|fault| (place, fault)));
                continue;
            }
            let chosen = !given.id.is_empty();
            let id = given.id_or(|| CustomerId::fresh(self.0.parts.clock.fresh_id())).map_err(of_id)?;
            if !seen.insert(id.key()) {
                plan.refused.push((place, taken(place, "is the id of an earlier customer of this batch")));
                continue;
            }
            if chosen {
                plan.chosen.insert(id.key());
            }
            let customer = given.born(&id, now);
            plan.places.push(place);
            plan.customers.push((id, customer));
        }
        Ok(plan)
    }

    /// The fault of a batch that was not inserted: it names each customer whose id is taken.
    async fn named(&self, call: &Call, plan: &Plan, error: DatabaseError) -> Fault {
        if !matches!(error, DatabaseError::UniqueViolation { .. }) {
            return error.into();
        }
        let read = self.0.parts.database.read_primary(call);
        let keys = plan.customers.iter().map(|(id, _)| id.key()).collect();
        let in_use = match store::in_use(&read, call.tenant(), keys).await {
            Ok(in_use) => in_use,
            Err(error) => return error.into(),
        };
        let places =
            plan.places.iter().zip(&plan.customers).filter(|(_, (id, _))| in_use.contains(&id.key()));
        let errors = places.map(|(place, _)| taken(*place, "is taken by another customer"));
        let fault = Fault::conflict("customers of the batch have ids that are taken");
        errors.fold(fault, |fault, error| fault.with_field(error.field, error.code, error.message))
    }
}

impl Plan {
    /// Refuses the batch if any of its customers is refused.
    fn refuse_all(&mut self) -> Result<(), Fault> {
        refused(self.refused.drain(..).map(|(_, fault)| fault).collect())
    }

    /// Keeps the customers that were inserted, and refuses the others.
    fn keep(&mut self, inserted: &HashSet<uuid::Uuid>) {
        let mut places = Vec::with_capacity(inserted.len());
        for (place, (id, _)) in self.places.iter().zip(&self.customers) {
            match inserted.contains(&id.key()) {
                true => places.push(*place),
                false => self.refused.push((*place, taken(*place, "is taken by another customer"))),
            }
        }
        self.customers.retain(|(id, _)| inserted.contains(&id.key()));
        self.places = places;
        self.refused.sort_by_key(|(place, _)| *place);
    }

    fn outcome(self, created_at: Timestamp) -> Created {
        let refused = self.refused.into_iter().map(|(index, fault)| Refused {
            index,
            field: fault.field.rsplit_once("].").map_or(&*fault.field, |(_, field)| field).to_owned(),
            message: fault.message.to_string(),
        });
        Created {
            ids: self.customers.into_iter().map(|(id, _)| id.as_str().to_owned()).collect(),
            refused: refused.collect(),
            created_at,
        }
    }
}

//! Reads all customers, page by page.

use std::time::Duration;

use futures_util::stream::{Stream, try_unfold};
use pando_resilience::Deadline;
use pando_service::Violations;
use pando_service::prelude::*;

use crate::Customers;
use crate::domain::customer::Customer;
use crate::domain::id::CustomerId;
use crate::list_customers::bounded;
use crate::store::{self, Filter, NEWEST};

/// How many customers are read at once.
const PAGE: usize = 500;
/// How long that may take. An export itself takes as long as its reader, whatever time the request had for its first answer.
const PAGE_BUDGET: Duration = Duration::from_secs(10);

/// A part of an export.
#[derive(Clone, Debug)]
pub struct ExportPage {
    /// The customers.
    pub customers: Vec<Customer>,
    /// Where the next part begins, if there is one.
    pub next: Option<PageEnd>,
}

impl Customers {
    /// All customers, the newest first, from the start or after the end of a part. The next part is read when this one was
    /// taken. Customers who are created meanwhile are not in it.
    pub fn export_customers(
        &self,
        call: &Call,
        after: Option<PageEnd>,
    ) -> impl Stream<Item = Result<ExportPage, Fault>> + Send + 'static {
        let (store, database) = (self.0.store.clone(), self.0.parts.database.clone());
        let call = call.clone();
        try_unfold(Some(after), move |place| {
            let (store, database, call) = (store.clone(), database.clone(), call.clone());
            async move {
                let Some(after) = place else { return Ok(None) };
                let call = call.with_deadline(Deadline::after(PAGE_BUDGET));
                let (read, asked) = (database.read(&call), (after.as_ref(), PAGE));
                let page = store.page(&read, call.tenant(), &Filter::default(), asked).await?;
                let page = bounded(page, call.tenant());
                let customers = page.items.into_iter().map(|stored| stored.customer).collect();
                let next = page.next.clone().map(Some);
                Ok(Some((ExportPage { customers, next: page.next }, next)))
            }
        })
    }

    /// The place in an export behind this customer, who may have been deleted since.
    pub async fn place_behind(&self, call: &Call, id: &str) -> Result<PageEnd, Fault> {
        let unknown = || Violations::one("after", "value", "must be the id of a customer of the export");
        let id = CustomerId::parse(id).map_err(|_| unknown())?;
        let place = store::place(&self.0.parts.database.read(call), call.tenant(), id.key()).await?;
        Ok(PageEnd::at(call.tenant(), place.ok_or_else(unknown)?, &NEWEST))
    }
}

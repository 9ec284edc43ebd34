//! Reads all customers, page by page.

use std::time::Duration;

use futures_util::stream::{Stream, try_unfold};
use pando_resilience::Deadline;
use pando_service::prelude::*;

use crate::Customers;
use crate::domain::customer::Customer;
use crate::list_customers::bounded;
use crate::store::Filter;

/// How many customers are read at once.
const PAGE: usize = 500;
/// How long that may take; an export itself takes as long as its reader.
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
    /// taken. Whoever is created meanwhile is not in it.
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
                let call = call.with_deadline(call.deadline.sooner(Deadline::after(PAGE_BUDGET)));
                let (read, asked) = (database.read(&call), (after.as_ref(), PAGE));
                let page = store.page(&read, call.tenant(), &Filter::default(), asked).await?;
                let page = bounded(page, call.tenant());
                let customers = page.items.into_iter().map(|stored| stored.customer).collect();
                let next = page.next.clone().map(Some);
                Ok(Some((ExportPage { customers, next: page.next }, next)))
            }
        })
    }
}

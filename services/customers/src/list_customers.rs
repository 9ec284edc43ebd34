//! Lists customers, the newest first.

use pando_service::prelude::*;
use pando_service::{Email, Page, Violations};
use prost::Message as _;

use crate::messages::ListResponse;
use crate::store::{Filter, NEWEST, Stored};
use crate::{Customers, domain};

/// How many customers a page has unless it says otherwise, and at most.
pub(crate) const LIMIT: (usize, usize) = (20, 1_000);
/// How many bytes a page may have, about: clients of gRPC refuse answers of more than 4 MiB.
pub(crate) const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many customers a page may step over: each of them is read.
pub(crate) const OFFSET_MAX: usize = 10_000;

/// A question for a page of customers.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// How many customers.
    pub limit: usize,
    /// How many to step over.
    pub offset: usize,
    /// The end of the page before.
    pub after: Option<PageEnd>,
    /// Only customers with this e-mail address.
    pub email: String,
    /// Only customers with this phone number.
    pub phone: String,
}

impl Question {
    /// The filter, if it can match anything.
    fn filter(&self) -> Result<Filter, Fault> {
        let refuse = |field: &str, bad: pando_service::BadText| {
            Fault::from(Violations::one(field, bad.code, bad.message))
        };
        let email = (!self.email.is_empty()).then(|| Email::parse(&self.email)).transpose();
        domain::phone::check(&self.phone).map_err(|bad| refuse("phone", bad))?;
        Ok(Filter {
            email: email.map_err(|bad| refuse("email", bad))?,
            phone: (!self.phone.is_empty()).then(|| self.phone.clone()),
        })
    }

    fn check(&self) -> Result<(), Fault> {
        let refuse = |field: &str, message: String| Err(Violations::one(field, "value", message).into());
        if !(1..=LIMIT.1).contains(&self.limit) {
            return refuse("limit", format!("must be from 1 to {}", LIMIT.1));
        }
        if self.offset > OFFSET_MAX {
            return refuse("offset", format!("must be at most {OFFSET_MAX}: a page token gets further"));
        }
        if self.offset > 0 && self.after.is_some() {
            return refuse("offset", "cannot be used together with a page token".to_owned());
        }
        Ok(())
    }
}

impl Customers {
    /// A page of customers as a [`ListResponse`], from memory if possible.
    pub async fn list_customers(&self, call: &Call, question: Question) -> Result<Kept, Fault> {
        question.check()?;
        check_token(call, question.after.as_ref())?;
        let filter = question.filter()?;
        let is_filtered = !question.email.is_empty() || !question.phone.is_empty();
        let key = format!("{} {}", question.offset, PageEnd::key(question.after.as_ref(), question.limit)?);
        let (store, database) = (self.0.store.clone(), self.0.parts.database.clone());
        let load = move |call: Call| async move {
            let (read, tenant) = (database.read(&call), call.tenant());
            let page = if question.offset == 0 {
                store.page(&read, tenant, &filter, (question.after.as_ref(), question.limit)).await?
            } else {
                // One more than asked for tells whether there is another page.
                let rows = store.first(&read, tenant, &filter, question.offset + question.limit + 1).await?;
                let rest = rows.into_iter().skip(question.offset).collect();
                Page::cut(rest, question.limit, (tenant, &NEWEST), Stored::place)
            };
            let page = bounded(page, tenant);
            let customers = page.items.iter().map(|stored| stored.customer.message()).collect();
            let next_page_token = page.next.as_ref().map(encode_cursor).transpose()?.unwrap_or_default();
            Ok::<_, Fault>(ListResponse { customers, next_page_token }.encode_to_vec())
        };
        if is_filtered {
            // The key would name a person, and one of these lists is hardly read twice.
            return Ok(Kept::fresh(Loaded::new(0, load(call.clone()).await?)));
        }
        self.0.base.memory.read_list(call, &key, load).await
    }
}

/// A token of another list, or of another tenant, would begin at the first page without a word.
pub(crate) fn check_token(call: &Call, after: Option<&PageEnd>) -> Result<(), Fault> {
    match after {
        Some(after) if after.place_in(call.tenant(), &NEWEST).is_none() => Err(bad_token()),
        _ => Ok(()),
    }
}

/// The token of a page was not returned by this list.
pub(crate) fn bad_token() -> Fault {
    Violations::one("page_token", "value", "is not a token that this list returned").into()
}

/// The first customers of a page, which have so many bytes together, and one at least.
pub(crate) fn bounded(page: Page<Stored>, tenant: &Tenant) -> Page<Stored> {
    let (mut bytes, mut count) = (0, 0);
    for stored in &page.items {
        bytes += stored.customer.size();
        if bytes > PAGE_BYTES_MAX && count > 0 {
            return Page::cut(page.items, count, (tenant, &NEWEST), Stored::place);
        }
        count += 1;
    }
    page
}

//! The buyer behind a request: its user, or the guest whose token is in a cookie.

use axum::response::Response;
use http::{HeaderValue, header};
use pando_http::{BrowserRequest, Code};
use pando_service::prelude::*;

use crate::Commerce;
use crate::cart::domain::buyer::{Buyer, GuestToken};

const COOKIE: &str = "cart";
const USER_CHARS_MAX: usize = 200;

/// A buyer on a visit.
pub(super) struct Visit {
    /// The call, whose actor is the buyer: two guests with the same key have different outcomes.
    pub(super) call: Call,
    pub(super) buyer: Buyer,
    cookie: Option<HeaderValue>,
}

impl Visit {
    /// The buyer of a request. A user who comes with the cookie of a guest gets the guest's cart first.
    pub(super) async fn begin(
        commerce: &Commerce,
        browser: &BrowserRequest,
        call: Call,
    ) -> Result<Self, Problem> {
        let token = browser.cookie(COOKIE).and_then(GuestToken::parse);
        // Where nobody asks for credentials, everybody is a guest.
        if call.identity.credential.is_empty() {
            let seconds = u64::from(commerce.0.options.cart_days) * 24 * 3_600;
            let fresh = || {
                let token = GuestToken::fresh();
                token.ok_or_else(|| Fault::unavailable("the operating system gave no random bytes"))
            };
            let token = token.map_or_else(fresh, Ok)?;
            let buyer = Buyer::guest(&token);
            let cookie = Some(browser.set_cookie(COOKIE, Some(&token.text()), seconds));
            return Ok(Self { call: call.by(format!("guest:{}", buyer.cart())), buyer, cookie });
        }
        let buyer = Buyer::user(call.actor());
        let Some(token) = token else { return Ok(Self { call, buyer, cookie: None }) };
        let merged = commerce.merge_carts(&call, &buyer, &token).await?;
        if merged.dropped > 0 {
            tracing::info!(units = merged.dropped, "a merged cart was full: units were dropped");
        }
        // Guests are of the default tenant: a user of another one leaves the cart to the guest.
        let cookie = call.tenant().is_default().then(|| browser.set_cookie(COOKIE, None, 0));
        Ok(Self { call, buyer, cookie })
    }

    /// An answer to this buyer.
    pub(super) fn answered(self, mut response: Response) -> Response {
        if let Some(cookie) = self.cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// The buyer whom a path names: the caller itself, or anybody if the caller may do everything.
pub(super) fn named(call: &Call, user: &str) -> Result<Buyer, Problem> {
    let is_self = !call.identity.credential.is_empty() && call.actor() == user;
    if !is_self && !call.identity.scopes.allow("admin:all") {
        return Err(Problem::new(Code::Forbidden, "this is the cart of another user"));
    }
    if user.chars().count() > USER_CHARS_MAX || user.contains('\0') {
        let problem = Problem::malformed("the name of a user has at most 200 characters");
        return Err(problem.with_field(
            "userId",
            "malformed",
            "must have at most 200 characters, and no NUL",
        ));
    }
    Ok(Buyer::user(user))
}

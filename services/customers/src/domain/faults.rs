//! The faults of this service.

use pando_service::{BadText, Fault, FieldError, Violations};

/// No customer has this id.
pub(crate) fn no_customer() -> Fault {
    Fault::not_found("customer")
}

/// The id of a new customer is taken, perhaps by one that was deleted.
pub(crate) fn id_taken() -> Fault {
    Fault::conflict("a customer has this id already").with_field(
        "id",
        "taken",
        "is taken by another customer",
    )
}

/// A caller gave an id that no customer can have.
pub(crate) fn of_id(bad: BadText) -> Fault {
    Violations::one("id", bad.code, bad.message).into()
}

/// The id of a customer of a batch is taken.
pub(crate) fn taken(place: usize, message: &'static str) -> FieldError {
    FieldError::new(format!("customers[{place}].id"), "taken", message)
}

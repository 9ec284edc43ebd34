//! The faults that are this service's own.

use pando_service::{Class, Fault, Rule};

/// The rules of the tables that a client can break.
pub(crate) const RULES: &[Rule] = &[
    ("profiles_email_key_tenant_key", email_taken),
    // Until the migrations are finished.
    ("profiles_email_key_key", email_taken),
];

/// Another living profile has this e-mail address.
fn email_taken() -> Fault {
    Fault::conflict("another profile has this e-mail address").named("email_taken").with_field(
        "email",
        "taken",
        "is taken by another profile",
    )
}

/// No living profile has this id.
pub(crate) fn no_profile() -> Fault {
    Fault::not_found("profile")
}

/// A file was taken away while it was written: somebody in it was erased, or it took too long.
pub(crate) fn file_removed() -> Fault {
    Fault::busy("the file was deleted while it was being written")
}

/// The uploads that wait have all the room there is for them.
pub(crate) fn uploads_full() -> Fault {
    Fault::new(Class::StorageFull, "too many uploads are waiting for their import already")
}

/// The store does not have what a row refers to.
pub(crate) fn object_missing(name: &str) -> Fault {
    Fault::internal(format!("the object {name} does not exist any more"))
}

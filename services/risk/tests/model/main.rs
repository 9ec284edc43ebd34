//! The models beside their training: its predictions, its figures, and the life of models in a process.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod catalogue;
mod damage;
mod golden;
mod held_out;
mod rows;

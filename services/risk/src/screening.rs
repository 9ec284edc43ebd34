//! Screening of names against lists.

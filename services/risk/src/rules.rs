//! Rules: decision tables and graphs.

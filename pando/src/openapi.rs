//! `pando openapi`: prints the OpenAPI document of a platform without starting one.

use std::io::Write;

use anyhow::Result;

use crate::wiring;

/// Prints the document without opening the configured database.
pub(crate) fn print(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}", pando_http::document(wiring::described())?)?;
    Ok(())
}

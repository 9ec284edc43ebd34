//! The parts of an answer about several horizons.

pub(crate) mod comparison;
pub(crate) mod confidence;
pub(crate) mod temporal;

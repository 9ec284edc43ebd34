//! Businesses, and what is decided about them.

pub(crate) mod assessment;
pub(crate) mod business;
pub(crate) mod compliance;
pub(crate) mod countries;
pub(crate) mod events;
pub(crate) mod factors;
pub(crate) mod ids;
pub(crate) mod monitoring;
pub(crate) mod noise;
pub(crate) mod scenarios;
pub(crate) mod timeframe;
pub(crate) mod trend;

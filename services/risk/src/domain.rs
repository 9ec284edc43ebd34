//! Businesses, and what is decided about them.

pub(crate) mod assessment;
pub(crate) mod batch;
pub(crate) mod batch_request;
pub(crate) mod business;
pub(crate) mod case;
pub(crate) mod compliance;
pub(crate) mod countries;
pub(crate) mod events;
pub(crate) mod factors;
pub(crate) mod facts;
pub(crate) mod ids;
pub(crate) mod json_difference;
pub(crate) mod list;
pub(crate) mod monitored;
pub(crate) mod monitoring;
pub(crate) mod noise;
pub(crate) mod ruleset;
pub(crate) mod scenarios;
pub(crate) mod timeframe;
pub(crate) mod trend;

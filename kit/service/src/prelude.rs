//! The names that almost every file of a service imports: `use pando_service::prelude::*`. All of them are of this house.

pub use pando_cache::{CacheError, CacheOptions, Loaded};
pub use pando_clock::Timestamp;
pub use pando_database::{
    BulkInsert, ColumnType, DatabaseError, Json, Migration, MigrationSet, OnConflict, OwnedQuery, Query,
    Read, Row, Transaction, params,
};
pub use pando_http::{Caller, IfNoneMatch, PageRequest, Problem, ServiceRoutes, encode_cursor};
pub use pando_queue::Registry;
pub use pando_resilience::{Call, Tenant};

pub use crate::http::{
    At, Id, InPath, KeyParameter, KeyRefused, WriteAnswer, WriteFields, cached, expected, json,
};
pub use crate::{
    BadSetting, Base, BasePlan, Blueprint, Change, Expected, Fault, FieldReader, IdForm, Kept, KeyKind, List,
    MemoryPlan, Order, PageEnd, Parts, Place, Service, SortKey, Write, Written,
};

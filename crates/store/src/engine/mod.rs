//! Both databases behind one interface: sessions, transactions, batching of single writes, and rows as parameters.

pub(crate) mod admission;
pub(crate) mod batched_read;
pub(crate) mod columns;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod data_file;
pub(crate) mod engine_kind;
pub(crate) mod error;
mod expected;
pub(crate) mod faults;
pub(crate) mod fragment;
pub(crate) mod interrupt;
pub(crate) mod page;
pub(crate) mod position;
pub(crate) mod postgres_batching;
pub(crate) mod private_files;
pub(crate) mod row_sets;
pub(crate) mod schema;
pub(crate) mod sealing;
pub(crate) mod session;
pub(crate) mod single_write;
pub(crate) mod slots;
pub(crate) mod sql;
pub(crate) mod sqlite_group_commit;
pub(crate) mod stored_json;
pub(crate) mod transaction;
pub(crate) mod write_context;

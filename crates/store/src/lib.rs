//! The only code that speaks SQL.
mod across; mod audit; mod changes; mod connect; mod credentials; mod error; mod page; mod scope; mod sql; mod tenants;

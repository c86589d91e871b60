//! The author of a write: tenant, actor, request and clock, which every row of the logs needs. A transaction and a single write
//! both carry it, so a row is made the same way for either.

use crate::engine::engine_kind::EngineKind;
use crate::engine::position::{OF_THIS_WRITE, is_listed};
use crate::scope::TenantScope;
use rollcall_core::clock::Clock;
use rollcall_core::event::Actor;
use rollcall_core::ids::{RequestId, TenantId};
use sea_orm::sea_query::{Expr, InsertStatement, Query, SelectStatement, Value};

/// The author of writes for one tenant.
pub(crate) struct WriteContext {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) request: Option<RequestId>,
    pub(crate) clock: Clock,
}

impl WriteContext {
    pub(super) fn new(scope: &TenantScope, clock: Clock) -> Self {
        let TenantScope { tenant, actor, request, expected: _ } = *scope;
        Self { tenant, actor, request, clock }
    }

    /// A row of this tenant, for a batch.
    pub(crate) fn row(&self, table: &'static str, values: impl IntoIterator<Item = (&'static str, Value)>) -> Row {
        let (columns, values) = values.into_iter().unzip();
        Row { tenant: self.tenant, table, columns, values }
    }
}

/// A row of a tenant, to be inserted.
pub(crate) struct Row {
    tenant: TenantId,
    pub(super) table: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) values: Vec<Value>,
}

impl Row {
    pub(crate) fn insert(self, engine: EngineKind) -> InsertStatement {
        let mut row = Query::select();
        row.expr(Expr::value(self.tenant.0));
        self.insert_selected(row, engine)
    }

    /// On SQLite: inserts only if the statement before this one wrote something.
    pub(super) fn insert_if_written(self) -> InsertStatement {
        let mut row = Query::select();
        row.expr(Expr::value(self.tenant.0)).and_where(Expr::cust("changes() > 0"));
        self.insert_selected(row, EngineKind::Sqlite)
    }

    fn insert_selected(self, mut row: SelectStatement, engine: EngineKind) -> InsertStatement {
        row.exprs(self.values.into_iter().map(Expr::value));
        let mut columns: Vec<&str> = std::iter::once("tenant_id").chain(self.columns).collect();
        if engine == EngineKind::Sqlite && is_listed(self.table) {
            row.expr(Expr::cust(OF_THIS_WRITE));
            columns.push("position");
        }
        let mut insert = Query::insert().into_table(self.table).columns(columns).to_owned();
        insert.select_from(row).expect("as many values as columns");
        insert
    }

    /// Its table and columns. Rows of the same shape can share one statement.
    pub(super) fn shape(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.table).chain(self.columns.iter().copied())
    }
}

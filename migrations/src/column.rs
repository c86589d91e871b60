//! The column and key shapes that all tables share.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_query::{ForeignKeyCreateStatement, IndexCreateStatement, TableCreateStatement};

pub(crate) fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

/// A table of a tenant: `tenant_id`, `id`, and the primary key over both.
pub(crate) fn tenant_table(name: &'static str) -> TableCreateStatement {
    table(name)
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .to_owned()
}

pub(crate) fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

pub(crate) fn uuid_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().null().to_owned()
}

pub(crate) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

pub(crate) fn text_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().to_owned()
}

pub(crate) fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).to_owned()
}

pub(crate) fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(false).to_owned()
}

pub(crate) fn json(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().not_null().to_owned()
}

pub(crate) fn json_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).json_binary().null().to_owned()
}

pub(crate) fn time(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().not_null().to_owned()
}

pub(crate) fn time_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).timestamp_with_time_zone().null().to_owned()
}

/// `(tenant_id)` references a tenant; the row is deleted with it.
pub(crate) fn to_tenant() -> ForeignKeyCreateStatement {
    ForeignKey::create().from_col("tenant_id").to("tenants", "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

/// `(tenant_id, column)` references a row of the same tenant; this row is deleted with it.
pub(crate) fn to_row(column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col("tenant_id")
        .from_col(column)
        .to_tbl(table)
        .to_col("tenant_id")
        .to_col("id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// `(tenant_id, column)` references the source that manages this row; a source with such rows cannot be deleted.
pub(crate) fn to_managing_source() -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col("tenant_id")
        .from_col("managed_by")
        .to_tbl("sources")
        .to_col("tenant_id")
        .to_col("id")
        .to_owned()
}

/// An index over the tenant and then `columns`.
pub(crate) fn index(table: &'static str, name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).col("tenant_id").to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

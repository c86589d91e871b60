//! Sign-in by an identity provider: connections, proven domains, the people whom providers know, and logout tokens that were used.

use crate::column::{
    flag, index, json_null, tenant_table, text, text_null, time, time_null, to_row, to_tenant, uuid, uuid_null,
};
use crate::m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE, protect};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const CONNECTIONS: &str = "sign_in_connections";
const DOMAINS: &str = "domains";
const IDENTITIES: &str = "identities";
const LOGOUT_TOKENS: &str = "logout_tokens";
const SESSION_COLUMNS: [&str; 3] = ["identity_id", "provider_session", "authenticated_at"];
const OF_IDENTITY: &str = "credentials_identity";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [connections(), domains(), identities(), logout_tokens()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let [identity, session, authenticated] = SESSION_COLUMNS;
        for column in [uuid_null(identity), text_null(session), time_null(authenticated)] {
            manager.alter_table(Table::alter().table("credentials").add_column(column).to_owned()).await?;
        }
        let of_identity =
            index("credentials", OF_IDENTITY, &[identity]).and_where(Expr::col(identity).is_not_null()).to_owned();
        manager.create_index(of_identity).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let db = manager.get_connection();
            for table in [CONNECTIONS, DOMAINS, IDENTITIES, LOGOUT_TOKENS] {
                protect(db, table, "tenant_id").await?;
                // Commands seal the secrets of all tenants again, and sweeps look at all domains; the rest is a tenant's own.
                let sql = format!(
                    "REVOKE ALL ON {table} FROM {TENANT_ROLE}, {SYSTEM_ROLE};
                     GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {TENANT_ROLE}; GRANT SELECT ON {table} TO {SYSTEM_ROLE}"
                );
                db.execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(OF_IDENTITY).table("credentials").to_owned()).await?;
        for column in SESSION_COLUMNS {
            manager.alter_table(Table::alter().table("credentials").drop_column(column).to_owned()).await?;
        }
        for table in [LOGOUT_TOKENS, IDENTITIES, DOMAINS, CONNECTIONS] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn connections() -> TableCreateStatement {
    tenant_table(CONNECTIONS)
        .col(text("issuer"))
        .col(text("client_id"))
        .col(ColumnDef::new("sealed_secret").binary().null())
        .col(flag("email_trusted"))
        .col(text("usage"))
        .col(time("created_at"))
        .col(time_null("tested_at"))
        .col(flag("test_accepted"))
        .col(json_null("test"))
        .foreign_key(&mut to_tenant())
        .to_owned()
}

fn domains() -> TableCreateStatement {
    tenant_table(DOMAINS)
        .col(text("domain"))
        .col(text("challenge"))
        .col(time("created_at"))
        .col(time_null("checked_at"))
        .col(time_null("verified_at"))
        // The first check of a verified domain that did not find the record.
        .col(time_null("missing_since"))
        .foreign_key(&mut to_tenant())
        .to_owned()
}

fn identities() -> TableCreateStatement {
    tenant_table(IDENTITIES)
        .col(uuid("member_id"))
        .col(text("issuer"))
        .col(text("subject"))
        .col(text_null("email"))
        .col(time("created_at"))
        .col(time("last_used_at"))
        .foreign_key(&mut to_row("member_id", "members"))
        .to_owned()
}

fn logout_tokens() -> TableCreateStatement {
    tenant_table(LOGOUT_TOKENS)
        .col(ColumnDef::new("digest").binary().not_null())
        .col(time("ends_at"))
        .foreign_key(&mut to_tenant())
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    // One domain is one tenant's: among all tenants it is verified once.
    let one_tenant = Index::create()
        .name("domains_verified")
        .table(DOMAINS)
        .col("domain")
        .unique()
        .and_where(Expr::col("verified_at").is_not_null())
        .to_owned();
    let one_in_use = Index::create()
        .name("sign_in_connections_in_use")
        .table(CONNECTIONS)
        .col("tenant_id")
        .unique()
        .and_where(Expr::col("usage").ne("off"))
        .to_owned();
    vec![
        one_in_use,
        index(CONNECTIONS, "sign_in_connections_client", &["issuer", "client_id"]).unique().to_owned(),
        index(DOMAINS, "domains_name", &["domain"]).unique().to_owned(),
        one_tenant,
        index(IDENTITIES, "identities_subject", &["issuer", "subject"]).unique().to_owned(),
        // A member is one person of a provider.
        index(IDENTITIES, "identities_member", &["member_id", "issuer"]).unique().to_owned(),
        index(LOGOUT_TOKENS, "logout_tokens_digest", &["digest"]).unique().to_owned(),
    ]
}

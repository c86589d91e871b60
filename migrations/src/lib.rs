//! The schema: one change in each file, the same files for Postgres and SQLite.
//!
//! Rules: a landed file never changes; changes are additive (SQLite cannot alter a foreign key in place); `tenant_id`
//! leads every key and every foreign key, so that a row can never reference another tenant.

#![allow(elided_lifetimes_in_paths, reason = "async_trait wants the trait's own spelling of `&SchemaManager`")]

use sea_orm_migration::prelude::*;

mod column;
mod m20261122_000001_tenants;
mod m20261122_000002_sources;
mod m20261122_000003_directory;
mod m20261122_000004_roster;
mod m20261122_000005_runs;
mod m20261122_000006_audit;
mod m20261122_000007_row_level_security;
mod m20261122_000008_planner_statistics;
mod m20261122_000011_rewind;
mod m20261122_000012_cutover;
mod m20261122_000013_remediation;
mod m20261122_000014_group_losses;
mod m20261122_000015_approval;
mod m20261122_000016_quarantine;
mod m20261122_000018_request_log;
mod m20261122_000019_change_counts;
mod m20261122_000021_waitlist_by_email;
mod m20261122_000022_group_name_keys;
mod m20261122_000023_first_statistics;
mod m20261122_000024_room_for_updates;
mod m20261127_000025_streams_without_references;
mod m20261129_000030_list_positions;
mod m20261129_000031_group_counts;
mod m20261129_000032_statistics_again;
mod m20261129_000040_former_records_and_addresses;
mod m20261129_000041_rewinds_of_a_source;
mod m20261129_000050_plain_discovery;
mod m20261129_000080_cache_key;
mod m20261129_000081_schema_floor;
mod m20261129_000082_least_grants;
mod m20261129_000083_slim_tombstones;
mod m20261129_000084_tenant_quotas;
mod m20261129_000085_ended_lately;
mod m20261130_000086_signing_in;
mod m20261130_000087_operator_keys;
mod m20261130_000088_identity_providers;
mod m20261130_000092_member_search;
mod m20261130_000093_blocks;
mod m20261130_000094_idempotent_requests;
mod m20261130_000095_tenant_days;
mod m20261130_000096_oauth_clients_and_setup_links;
mod m20261130_000097_role_rules;
mod m20261130_000098_statistics_of_new_indexes;
mod m20261201_000103_invitations;
mod m20261201_000104_groups_from_sign_in;
mod m20261201_000105_operators;
mod m20261201_000106_device_authorizations;
mod m20261201_000108_cheaper_triggers;
mod m20261201_000109_replaced_credentials;
mod m20261201_000110_outgoing_events;
mod m20261201_000111_webhooks;
mod m20261201_000112_event_relay;
mod m20261201_000120_agent_keys;
mod m20261201_000121_agent_nonces;
mod m20261201_000122_agent_uploads;
mod m20261201_000123_agent_records;
mod m20261201_000124_removals_allowed;

pub use m20261122_000007_row_level_security::{SYSTEM_ROLE, TENANT_ROLE};

/// Applies pending migrations; several processes may run it one after the other.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_tenants::Migration),
            Box::new(m20261122_000002_sources::Migration),
            Box::new(m20261122_000003_directory::Migration),
            Box::new(m20261122_000004_roster::Migration),
            Box::new(m20261122_000005_runs::Migration),
            Box::new(m20261122_000006_audit::Migration),
            Box::new(m20261122_000007_row_level_security::Migration),
            Box::new(m20261122_000008_planner_statistics::Migration),
            Box::new(m20261122_000011_rewind::Migration),
            Box::new(m20261122_000012_cutover::Migration),
            Box::new(m20261122_000013_remediation::Migration),
            Box::new(m20261122_000014_group_losses::Migration),
            Box::new(m20261122_000015_approval::Migration),
            Box::new(m20261122_000016_quarantine::Migration),
            Box::new(m20261122_000018_request_log::Migration),
            Box::new(m20261122_000019_change_counts::Migration),
            Box::new(m20261122_000021_waitlist_by_email::Migration),
            Box::new(m20261122_000022_group_name_keys::Migration),
            Box::new(m20261122_000023_first_statistics::Migration),
            Box::new(m20261122_000024_room_for_updates::Migration),
            Box::new(m20261127_000025_streams_without_references::Migration),
            Box::new(m20261129_000030_list_positions::Migration),
            Box::new(m20261129_000031_group_counts::Migration),
            Box::new(m20261129_000032_statistics_again::Migration),
            Box::new(m20261129_000040_former_records_and_addresses::Migration),
            Box::new(m20261129_000041_rewinds_of_a_source::Migration),
            Box::new(m20261129_000050_plain_discovery::Migration),
            Box::new(m20261129_000080_cache_key::Migration),
            Box::new(m20261129_000081_schema_floor::Migration),
            Box::new(m20261129_000082_least_grants::Migration),
            Box::new(m20261129_000083_slim_tombstones::Migration),
            Box::new(m20261129_000084_tenant_quotas::Migration),
            Box::new(m20261129_000085_ended_lately::Migration),
            Box::new(m20261130_000086_signing_in::Migration),
            Box::new(m20261130_000087_operator_keys::Migration),
            Box::new(m20261130_000088_identity_providers::Migration),
            Box::new(m20261130_000092_member_search::Migration),
            Box::new(m20261130_000093_blocks::Migration),
            Box::new(m20261130_000094_idempotent_requests::Migration),
            Box::new(m20261130_000095_tenant_days::Migration),
            Box::new(m20261130_000096_oauth_clients_and_setup_links::Migration),
            Box::new(m20261130_000097_role_rules::Migration),
            Box::new(m20261130_000098_statistics_of_new_indexes::Migration),
            Box::new(m20261201_000103_invitations::Migration),
            Box::new(m20261201_000104_groups_from_sign_in::Migration),
            Box::new(m20261201_000105_operators::Migration),
            Box::new(m20261201_000106_device_authorizations::Migration),
            Box::new(m20261201_000108_cheaper_triggers::Migration),
            Box::new(m20261201_000109_replaced_credentials::Migration),
            Box::new(m20261201_000110_outgoing_events::Migration),
            Box::new(m20261201_000111_webhooks::Migration),
            Box::new(m20261201_000112_event_relay::Migration),
            Box::new(m20261201_000120_agent_keys::Migration),
            Box::new(m20261201_000121_agent_nonces::Migration),
            Box::new(m20261201_000122_agent_uploads::Migration),
            Box::new(m20261201_000123_agent_records::Migration),
            Box::new(m20261201_000124_removals_allowed::Migration),
        ]
    }
}

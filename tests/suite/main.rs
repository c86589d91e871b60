//! The black-box suite over a running hub: the same tests, on every combination of backends.
//!
//! `sqlite` is `rollcall up` (one process, embedded database, in-process queue and cache) and always runs. `full` is
//! `rollcall all` on Postgres, RabbitMQ and Redis; it runs when `DATABASE_URL`, `AMQP_URL` and `REDIS_URL` are set, and
//! then a hub that does not start is a failure. Tests speak only HTTP and the command line, so they do not depend on
//! the implementation. Names read `sqlite::scim_users::post_…`; a filter on the command line works as with `cargo
//! test`.
//!
//! `ROLLCALL_BIN` names the hub to test (default: `target/debug/rollcall`, built first), `ROLLCALL_AGENT_BIN` the on-prem agent; `ROLLCALL_RIGS` the folder of
//! the directory rigs (default: `../shared/rigs` beside the checkout), `ROLLCALL_RIG_ROUNDS` their rounds of changes; `ROLLCALL_TEST_SEED` repeats a
//! seeded run; `ROLLCALL_TEST_KEEP=1` keeps logs and data of a run that passed.

// Tests fail by panicking. The hub's own crates stay under the workspace lints.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod agent_client;
mod agent_ldap;
mod agent_ldap_failures;
mod agent_program;
mod agent_refusals;
mod agents;
mod answer;
mod api;
mod api_keys;
mod approval;
mod as_deployed;
mod attributes;
mod audit;
mod bad_input;
mod blocks;
mod broker;
mod budgets;
mod cache;
mod changes;
mod commands;
mod connections;
mod conversation;
mod cors;
mod cutover;
mod decisions;
mod deployment;
mod dialect_fixtures;
mod dialect_ledger;
mod discovery;
mod enrolments;
mod entra_collection;
mod etags;
mod event_relay;
mod events;
mod explain;
mod exports;
mod faults;
mod field_reports;
mod fields;
mod first_hour;
mod group_scope;
mod guards;
mod hub;
mod idempotency;
mod if_match;
mod invitations;
mod json_schema;
mod large_answers;
mod lifecycle;
mod lists;
mod logins;
mod matching;
mod member_search;
mod members;
mod new_user;
mod oauth;
mod on_demand;
mod openapi;
mod person;
mod privileged;
mod process;
mod quotas;
mod random_input;
mod receiver;
mod registry;
mod remediation;
mod request_log;
mod rest;
mod rewind;
mod rigs;
mod roster;
mod routes;
mod scim_bulk;
mod scim_collisions;
mod scim_filters;
mod scim_groups;
mod scim_patch;
mod scim_users;
mod services;
mod setup_links;
mod sign_in;
mod simulated_idps;
mod source_modes;
mod spellings;
mod statistics;
mod strict_clients;
mod tenants;
mod tokens;
mod traces;
mod two_tenants;
mod user_scope;
mod verbs;
mod webhook_deliveries;
mod webhooks;
mod workbench;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::Case;
use crate::services::Services;
use crate::workbench::Workbench;

/// Tests wait for the hub far more than they compute, so more of them run at once than there are cores.
const PARALLEL_TESTS: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(PARALLEL_TESTS);
    registry::keep_panics_quiet();
    let services = match Services::from_environment() {
        Ok(services) => services,
        Err(problem) => return refuse(&problem),
    };
    let mut combinations = vec![Combination::Sqlite];
    if services.is_some() {
        combinations.push(Combination::Full);
    } else if !arguments.list {
        println!("note: DATABASE_URL, AMQP_URL and REDIS_URL are unset: only the `sqlite` combination runs");
    }
    if arguments.list {
        let listed =
            combinations.iter().flat_map(|combination| every_case().into_iter().map(|case| (*combination, case)));
        let trials = listed
            .filter(|(combination, case)| case.runs_on(*combination))
            .map(|(combination, case)| Trial::test(case.full_name(combination), || Ok(())))
            .collect();
        libtest_mimic::run(&arguments, trials).exit();
    }
    let workbench = match Workbench::prepare(services) {
        Ok(workbench) => workbench,
        Err(problem) => return refuse(&problem),
    };
    workbench.clean_up_when_interrupted();
    run(&arguments, &combinations, &workbench)
}

/// Starts one hub for each combination of a selected test, runs the tests, and stops the hubs in any case.
fn run(arguments: &Arguments, combinations: &[Combination], workbench: &Workbench) -> ExitCode {
    let mut trials = Vec::new();
    let mut hubs = Vec::new();
    for combination in combinations {
        let wanted: Vec<Case> = every_case()
            .into_iter()
            .filter(|case| case.runs_on(*combination))
            .filter(|case| is_wanted(arguments, &case.full_name(*combination)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let hub = match workbench.runtime.block_on(Hub::start_shared(workbench, *combination)) {
            Ok(hub) => hub,
            Err(problem) => {
                stop_all(&hubs);
                return refuse(&problem.context(format!("the {combination} hub did not start")));
            }
        };
        trials.extend(wanted.into_iter().map(|case| case.into_trial(*combination, &hub, workbench)));
        hubs.push(hub);
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    stop_all(&hubs);
    drop(hubs);
    workbench.finish(conclusion.has_failed());
    conclusion.exit_code()
}

fn every_case() -> Vec<Case> {
    let of_providers = of_providers().into_iter();
    let of_people = [
        api_keys::cases(),
        setup_links::cases(),
        sign_in::cases(),
        tenants::cases(),
        cache::cases(),
        bad_input::cases(),
        random_input::cases(),
        access::cases(),
        agent_ldap::cases(),
        agent_ldap_failures::cases(),
        agent_program::cases(),
        agent_refusals::cases(),
        agents::cases(),
        members::cases(),
        member_search::cases(),
        blocks::cases(),
        invitations::cases(),
        exports::cases(),
        idempotency::cases(),
        fields::cases(),
        openapi::cases(),
        cors::cases(),
        changes::cases(),
        events::cases(),
        webhook_deliveries::cases(),
        webhooks::cases(),
        event_relay::cases(),
        if_match::cases(),
        statistics::cases(),
        new_user::cases(),
        first_hour::cases(),
        approval::cases(),
        routes::cases(),
        two_tenants::cases(),
        lifecycle::cases(),
        matching::cases(),
        group_scope::cases(),
        guards::cases(),
        privileged::cases(),
        quotas::cases(),
        decisions::cases(),
        explain::cases(),
        remediation::cases(),
        on_demand::cases(),
        rewind::cases(),
        audit::cases(),
        request_log::cases(),
        api::cases(),
        lists::cases(),
        attributes::cases(),
        user_scope::cases(),
        commands::cases(),
        connections::cases(),
        large_answers::cases(),
        as_deployed::cases(),
        broker::cases(),
        logins::cases(),
        budgets::cases(),
        faults::cases(),
        entra_collection::cases(),
        simulated_idps::cases(),
        traces::cases(),
    ];
    of_providers.chain(of_people).flatten().collect()
}

/// The cases of machines that feed the hub.
fn of_providers() -> Vec<Vec<Case>> {
    vec![
        discovery::cases(),
        scim_users::cases(),
        scim_filters::cases(),
        scim_patch::cases(),
        scim_groups::cases(),
        etags::cases(),
        scim_collisions::cases(),
        scim_bulk::cases(),
        field_reports::cases(),
        dialect_fixtures::cases(),
        dialect_ledger::cases(),
        source_modes::cases(),
        spellings::cases(),
        strict_clients::cases(),
        cutover::cases(),
        tokens::cases(),
        oauth::cases(),
        enrolments::cases(),
    ]
}

/// The filter rules of libtest, so that no hub is started without a test.
fn is_wanted(arguments: &Arguments, name: &str) -> bool {
    let matches = |pattern: &str| if arguments.exact { name == pattern } else { name.contains(pattern) };
    arguments.filter.as_deref().is_none_or(matches) && !arguments.skip.iter().any(|pattern| matches(pattern))
}

fn stop_all(hubs: &[Hub]) {
    for hub in hubs {
        hub.stop();
    }
}

fn refuse(problem: &anyhow::Error) -> ExitCode {
    eprintln!("error: {problem:#}");
    ExitCode::FAILURE
}

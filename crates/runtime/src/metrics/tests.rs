//! The text of a scrape.

use super::*;

#[test]
fn every_series_is_rendered_with_its_labels() {
    let metrics = Metrics::new().unwrap();
    metrics.http_request("scim", "/scim/v2/{source}/Users", "POST", 201, Duration::from_millis(3));
    metrics.wakeup_published(Lane::Push);
    metrics.wakeup_lost(Lane::Bulk, LostReason::Timeout);
    metrics.set_queue_depth(Lane::Push, 7);
    metrics.set_dead_letters(2);
    metrics.set_change_lag(Duration::from_millis(1500));
    metrics.reconcile(Lane::Push, "applied", Duration::from_millis(20));
    metrics.set_runs_held(1);
    metrics.set_sources_quarantined(3);
    metrics.rate_limited("scim");
    metrics.requests_unlogged(3);
    let text = metrics.clone().render();
    for line in [
        r#"rollcall_http_requests_total{method="POST",route="/scim/v2/{source}/Users",service="scim",status="201"} 1"#,
        r#"rollcall_http_request_duration_seconds_bucket{route="/scim/v2/{source}/Users",service="scim",le="0.005"} 1"#,
        r#"rollcall_wakeups_published_total{lane="push"} 1"#,
        r#"rollcall_wakeups_lost_total{lane="bulk",reason="timeout"} 1"#,
        r#"rollcall_queue_depth{queue="push"} 7"#,
        "rollcall_dead_letters 2",
        "rollcall_change_lag_seconds 1.5",
        r#"rollcall_reconcile_outcomes_total{outcome="applied"} 1"#,
        "rollcall_runs_held 1",
        "rollcall_sources_quarantined 3",
        r#"rollcall_rate_limited_total{service="scim"} 1"#,
        "rollcall_requests_unlogged_total 3",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(line), "missing {line} in\n{text}");
    }
}

#[test]
fn d10_series_with_known_labels_are_there_before_their_first_event() {
    let text = Metrics::new().unwrap().render();
    for line in [
        r#"rollcall_wakeups_lost_total{lane="push",reason="overflow"} 0"#,
        r#"rollcall_wakeups_received_total{lane="bulk",outcome="retry"} 0"#,
        r#"rollcall_cache_errors_total{operation="get_credential"} 0"#,
        r#"rollcall_rate_limited_total{service="scim"} 0"#,
        r#"rollcall_reconcile_outcomes_total{outcome="failed"} 0"#,
        r#"rollcall_connections_closed_total{reason="slow_reader"} 0"#,
        r#"rollcall_auth_refused_total{reason="unknown",service="admin"} 0"#,
        r#"rollcall_database_connections{state="waiting"} 0"#,
        "rollcall_database_waits_total 0",
        "rollcall_database_wait_seconds_total 0",
        "rollcall_schema_behind 0",
    ] {
        assert!(text.contains(line), "missing {line} in\n{text}");
    }
    assert!(text.contains("rollcall_build_info{revision=") && text.contains("version=\"0."), "{text}");
}

#[test]
fn d10_waits_for_the_database_are_the_sums_that_the_pool_has() {
    let metrics = Metrics::new().unwrap();
    for (waits, waited) in [(2, 30), (5, 250)] {
        metrics.set_database_waits(waits, Duration::from_millis(waited));
    }
    metrics.set_schema_behind(2);
    let text = metrics.render();
    for line in
        ["rollcall_database_waits_total 5", "rollcall_database_wait_seconds_total 0.25", "rollcall_schema_behind 2"]
    {
        assert!(text.contains(line), "missing {line} in\n{text}");
    }
}

#[test]
fn two_registries_do_not_collide() {
    let (one, other) = (Metrics::new().unwrap(), Metrics::new().unwrap());
    one.run_held();
    assert!(one.render().contains("rollcall_runs_held_total 1"));
    assert!(other.render().contains("rollcall_runs_held_total 0"));
}

#[test]
fn digits_of_any_status() {
    let mut digits = [0; 5];
    for number in [0, 7, 200, 65535] {
        assert_eq!(decimal(number, &mut digits), number.to_string());
    }
}

//! Settings from the defaults, the environment and files, and the errors about wrong ones.

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Settings> {
    Settings::load(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn the_defaults_are_valid_and_the_environment_wins() {
    let settings = load(&[]).unwrap();
    assert_eq!((settings.ingest.rate_per_second, settings.ingest.rate_burst), (100.0, 1000));
    let settings = load(&[
        ("ROLLCALL_INGEST_RATE_PER_SECOND", "25"),
        ("ROLLCALL_QUEUE_PREFIX", "t1."),
        ("DATABASE_URL", "postgres://x"),
        ("ROLLCALL_TEST_SEED", "7"),
        ("HOME", "/root"),
    ])
    .unwrap();
    assert_eq!((settings.ingest.rate_per_second, settings.queue.prefix.as_str()), (25.0, "t1."));
    assert_eq!(settings.database.url, "postgres://x");
}

#[test]
fn a_wrong_setting_is_named_with_its_remedy() {
    for (name, value, key, remedy) in [
        ("ROLLCALL_INGEST_RATE_PER_SECOND", "many", "ingest.rate_per_second", "number"),
        ("ROLLCALL_INGEST_RATE_PER_SECOND", "-5", "ingest.rate_per_second", "number"),
        ("ROLLCALL_INGEST_RATE_BURST", "0", "ingest.rate_burst", "greater than 0"),
        ("ROLLCALL_HTTP_LISTEN", "nowhere", "http.listen", "127.0.0.1:8080"),
        ("ROLLCALL_HTTP_LISTEN", "local host:1", "http.listen", "localhost:8080"),
        ("ROLLCALL_HTTP_LISTEN", "localhost:99999", "http.listen", "localhost:8080"),
        ("ROLLCALL_HTTP_PUBLIC_URL", "https://x/", "http.public_url", "slash"),
        ("ROLLCALL_HTTP_PUBLIC_URL", "ftp://x", "http.public_url", "http or https"),
        ("ROLLCALL_HTTP_PUBLIC_URL", "x.example.com", "http.public_url", "http or https"),
        ("ROLLCALL_HTTP_TRUSTED_PROXIES", "10.0.0.0/40", "http.trusted_proxies", "10.0.0.0/8"),
        ("ROLLCALL_ADMIN_CORS_ORIGINS", "*", "admin.cors_origins", "https://portal.example.com"),
        ("ROLLCALL_ADMIN_CORS_ORIGINS", "http://x.example", "admin.cors_origins", "https"),
        ("ROLLCALL_DATABASE_SQLITE_SYNCHRONOUS", "off", "database.sqlite_synchronous", "full"),
        ("ROLLCALL_TELEMETRY_TRACE_RATIO", "2", "telemetry.trace_ratio", "0.0 to 1.0"),
        ("ROLLCALL_INGEST_RAET", "5", "ROLLCALL_INGEST_RAET", "help config"),
        ("ROLLCALL_SIGN_IN_PRIVATE_ADDRESSES", "yes", "sign_in.private_addresses", "true or false"),
        ("ROLLCALL_SIGN_IN_DNS_SERVER", "ns.example", "sign_in.dns_server", "127.0.0.1:53"),
        ("ROLLCALL_OPERATORS_EMAILS", "ann@host.example", "operators.issuer", "name the provider"),
        ("ROLLCALL_OPERATORS_ISSUER", "https://idp.example", "operators.client_id", "register the hub"),
        ("ROLLCALL_SEALING_KEYS", "secret", "sealing.keys", "rollcall sealing-key new"),
        ("ROLLCALL_LISTEN", "x", "ROLLCALL_LISTEN", "Did you mean ROLLCALL_HTTP_LISTEN or ROLLCALL_METRICS_LISTEN?"),
        ("ROLLCALL_INGST_RATE_BURST", "5", "ROLLCALL_INGST", "Did you mean \"ROLLCALL_INGEST_RATE_BURST\"?"),
    ] {
        let error = format!("{:#}", load(&[(name, value)]).unwrap_err());
        assert!(error.contains(key) && error.contains(remedy), "{name}={value}: {error}");
    }
}

#[test]
fn d1_service_links_of_kubernetes_are_no_settings() {
    for (name, value) in [
        ("ROLLCALL_SERVICE_HOST", "10.96.12.7"),
        ("ROLLCALL_SERVICE_PORT", "8080"),
        ("ROLLCALL_SERVICE_PORT_HTTP", "8080"),
        ("ROLLCALL_INGEST_SERVICE_HOST", "fd00::7"),
        ("ROLLCALL_PORT", "tcp://10.96.12.7:8080"),
        ("ROLLCALL_PORT_8080_TCP", "tcp://10.96.12.7:8080"),
        ("ROLLCALL_PORT_8080_TCP_PROTO", "tcp"),
        ("ROLLCALL_PORT_8080_TCP_PORT", "8080"),
        ("ROLLCALL_PORT_8080_TCP_ADDR", "10.96.12.7"),
        ("ROLLCALL_ADMIN_PORT", "tcp://[fd00::7]:80"),
    ] {
        load(&[(name, value)]).unwrap_or_else(|error| panic!("{name}={value}: {error:#}"));
    }
    for (name, value) in [
        ("ROLLCALL_SERVICE_HOST", "db.example"),
        ("ROLLCALL_PORT", "8080"),
        ("ROLLCALL_HTTP_PORT", "8080"),
        ("ROLLCALL_PORTS", "tcp://10.96.12.7:8080"),
        ("ROLLCALL_SERVICE_PORT", "http"),
    ] {
        let error = format!("{:#}", load(&[(name, value)]).unwrap_err());
        assert!(error.contains("is no setting"), "{name}={value}: {error}");
    }
}

#[test]
fn d2_an_address_may_stand_in_a_file() {
    let file = std::env::temp_dir().join(format!("rollcall-url-{}", std::process::id()));
    std::fs::write(&file, "postgres://u:p@h/d\n").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(load(&[("ROLLCALL_DATABASE_URL_FILE", path)]).unwrap().database.url, "postgres://u:p@h/d");
    let both = load(&[("ROLLCALL_DATABASE_URL_FILE", path), ("DATABASE_URL", "postgres://x")]).unwrap_err();
    assert!(both.to_string().contains("keep one of them"), "{both}");
    let missing = load(&[("ROLLCALL_QUEUE_URL_FILE", "/nowhere")]).unwrap_err();
    assert!(missing.to_string().contains("queue.url_file"), "{missing}");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn f14_a_host_name_and_a_bare_port_are_addresses() {
    for (given, listens) in [
        ("localhost:9000", "localhost:9000"),
        (":9000", "127.0.0.1:9000"),
        ("[::]:9000", "[::]:9000"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ] {
        assert_eq!(load(&[("ROLLCALL_HTTP_LISTEN", given)]).unwrap().http.listen, listens);
        let mut settings = load(&[]).unwrap();
        settings.listen_on(given).unwrap();
        assert_eq!(settings.http.listen, listens);
    }
}

#[test]
fn f4_the_data_folder_is_no_setting_and_a_setting_that_begins_like_it_is() {
    let settings = load(&[("ROLLCALL_DATA", "./x"), ("ROLLCALL_DATABASE_CONNECTIONS_MAX", "3")]).unwrap();
    assert_eq!(settings.database.connections_max, 3);
}

#[test]
fn debug_output_holds_no_password() {
    let settings = load(&[("DATABASE_URL", "postgres://u:hunter2@h/d"), ("AMQP_URL", "amqp://u:hunter2@h")]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

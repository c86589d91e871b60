# The README's two commands are `make run` and `make test`. Every target has one to three lines; longer ones are scripts of their own.
.PHONY: run test console fuzz abuse bench deploy ci
TEST ?= cargo test --workspace --no-fail-fast

run: # a hub with a demo tenant, played to by two identity providers; a debug build, which Ctrl-C ends
	console/build
	cargo run --bin rollcall -- demo

test: # all tests, other people's SCIM suites, real SCIM clients and OpenID providers, on private PostgreSQL, RabbitMQ and Redis, or on those in DATABASE_URL, AMQP_URL, REDIS_URL
	@command -v python3 >/dev/null || tests/install-missing python3
	console/build && $(TEST) --no-run
	tests/services run -- sh -ec '$(TEST); console/check; tests/conformance; tests/clients/run; tests/providers/run'

console: # the pages for admins, for the next build of the hub; then their checks and tests in a browser
	console/build
	cargo build --workspace --bin rollcall && console/check

fuzz: # random SCIM: 100,000 cases for each reader, and as many requests to a hub on each combination
	ROLLCALL_FUZZ_CASES=$${ROLLCALL_FUZZ_CASES:-100000} tests/services run -- sh -ec 'cargo test --workspace --test robustness; cargo test --workspace --test suite random_input'

abuse: # tenants and strangers attack a hub in every shape, on each combination; others are measured beside them
	cargo build --workspace --bin rollcall --test suite
	tests/services run -- sh -ec 'tests/abuse/run; for script in tests/abuse/slow_readers.py tests/abuse/sockets.py; do python3 $$script; env -u DATABASE_URL python3 $$script; done'

bench: # measures the hub beside the machine's own limits, then how reconciling scales
	bench/run
	bench/scale

deploy: # the image, compose file, chart, alerts and dashboards are built, started and compared with the hub
	deploy/check

ci: # what must pass before anything lands
	.ci/run

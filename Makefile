# Everything a developer runs. `make test` on a fresh machine installs what tests need and passes.
.PHONY: help setup test ci lint doc audit crash bench shipped

TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 10

setup: ## install what the tests need: redis-server, postgresql, openssl, procps, python3 with venv
	@scripts/setup.sh

test: setup ## every test
	cargo test --locked --features failpoints --no-fail-fast

lint: ## formatting and lints, warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features failpoints -- -D warnings

# $(1) is a binary: no place in it at which a test could kill the process.
define without_failpoints
	@! grep -aqE 'COCKPIT_FAILPOINT|before_first_byte' $(1) || { echo "$(1) has failpoints in it"; exit 1; }
	@echo "$(1) has no failpoints"
endef

shipped: ## an ordinary build has no failpoints in it
	cargo test --locked --no-run --test config_check
	$(call without_failpoints,$(TARGET)/debug/cockpit)

crash: setup ## SIGKILL at every step of an order's way, fifty intents each; prints the table
	COCKPIT_CRASH_FULL=1 cargo test --locked --features failpoints --test crash -- --nocapture

bench: setup ## the figures of the desk: the binary for a trading box, real Redis, venue on loopback
	cargo bench --locked --profile dist --bench desk
	$(call without_failpoints,$(TARGET)/dist/cockpit)

doc: ## the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

ci: lint shipped test doc ## what must hold before anything lands

audit: ## licences, sources and bans of every dependency (installs cargo-deny when missing)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check licenses bans sources

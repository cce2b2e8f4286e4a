# Everything a developer runs. `make test` on a fresh machine installs what tests need and passes.
.PHONY: help setup test ci lint doc audit

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 10

setup: ## install what the tests need: redis-server, postgresql, openssl, python3 with venv
	@scripts/setup.sh

test: setup ## every test
	cargo test --locked

lint: ## formatting and lints, warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

doc: ## the API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

ci: lint test doc ## what must hold before anything lands

audit: ## licences, sources and bans of every dependency (installs cargo-deny when missing)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check licenses bans sources

# demo   a sample shop with Deepwater in front
# test   everything CI runs
# bench  measurements beside nginx, HAProxy, Varnish and PgBouncer
# check  formatting and lints alone
# docs   the generated reference

CARGO ?= cargo

.PHONY: demo test bench check docs fuzz help

help:
	@sed -n 's/^# //p' Makefile

demo: .need-rust
	$(CARGO) build --profile quick --locked -p deepwater
	@"$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/quick/deepwater" demo

test: .need-rust
	./scripts/test

check: .need-rust
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: .need-rust
	./bench/run

docs: .need-rust
	$(CARGO) run -q --locked -p deepwater -- check --reference > docs/reference/configuration.md.new
	mv docs/reference/configuration.md.new docs/reference/configuration.md
	$(CARGO) run -q --locked -p deepwater -- check --schema > docs/reference/deepwater.schema.json.new
	mv docs/reference/deepwater.schema.json.new docs/reference/deepwater.schema.json

fuzz: .need-rust
	./fuzz/run

.PHONY: .need-rust
.need-rust:
	@./scripts/need cargo cc

# demo   a sample shop with Deepwater in front
# release  the binary to deploy: built, watched under load, built again by what was seen; a quarter of an hour
# test   everything CI runs
# bench  measurements beside nginx, HAProxy, Varnish and PgBouncer
# bench-cliffs  does the lens foresee the cliffs: ramps to five of them, 40 minutes
# check  formatting and lints alone
# docs   the generated reference, dashboard and alert rules

CARGO ?= cargo

.PHONY: demo release test bench bench-cliffs check docs fuzz help

help:
	@sed -n 's/^# //p' Makefile

demo: .need-rust
	$(CARGO) build --profile quick --locked -p deepwater
	@"$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/quick/deepwater" demo

release: .need-rust
	./bench/optimise

test: .need-rust
	./scripts/test

check: .need-rust
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: .need-rust
	./bench/run

bench-cliffs: .need-rust
	./bench/cliffs/run

docs: .need-rust
	$(CARGO) run -q --locked -p deepwater -- check --reference > docs/reference/configuration.md.new
	mv docs/reference/configuration.md.new docs/reference/configuration.md
	$(CARGO) run -q --locked -p deepwater -- check --schema > docs/reference/deepwater.schema.json.new
	mv docs/reference/deepwater.schema.json.new docs/reference/deepwater.schema.json
	$(CARGO) run -q --locked -p deepwater -- check --dashboard > docs/grafana/dashboard.json.new
	mv docs/grafana/dashboard.json.new docs/grafana/dashboard.json
	$(CARGO) run -q --locked -p deepwater -- check --alerts > docs/grafana/alerts.yaml.new
	mv docs/grafana/alerts.yaml.new docs/grafana/alerts.yaml

fuzz: .need-rust
	./fuzz/run

.PHONY: .need-rust
.need-rust:
	@./scripts/need cargo cc

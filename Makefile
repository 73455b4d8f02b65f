# Two commands need nothing but Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FAULT  ?= errors
# Newest first: each stamp says which locked requirements the environment holds.
RUNTIME := $(VENV)/.runtime
DEV     := $(VENV)/.dev

.PHONY: demo test check unit real bench bench-rollback bench-quick lock clean

demo: $(RUNTIME)  ## deploy a bad version of a small service, and watch it being rolled back
	$(BIN)/watchdog demo --fault $(FAULT)

test: $(DEV)  ## everything: lint, types, layers, unit tests, and the tests against the real things
	scripts/test-deps
	scripts/build-cluster --begin
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --ignore tests/real --ignore tests/chart --cov --cov-report= tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-append --cov-report=term:skip-covered --durations=10 -m slow --ignore tests/real --ignore tests/chart tests
	scripts/build-cluster
	$(BIN)/python -m pytest -n 2 --durations=15 tests/chart tests/real

check: $(DEV) lint unit  ## the quick loop: lint, types, layers, unit tests

.PHONY: lint
lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

unit: $(DEV)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" --ignore tests/real --ignore tests/chart tests

real: $(DEV)  ## only the tests against real Docker, Kubernetes, Helm, Prometheus and PostgreSQL
	scripts/test-deps
	scripts/build-cluster
	$(BIN)/python -m pytest -n 2 --durations=15 tests/chart tests/real

bench: $(DEV)  ## measure, and print a table with the machine and the versions
	scripts/test-deps
	$(BIN)/python -m bench

bench-rollback: $(DEV)  ## judge simulated good and bad deploys, 20 minutes; writes docs/bench-rollback.md
	$(BIN)/python -m bench.rollback

bench-quick: $(DEV)  ## two minutes of it; fails when false rollbacks are over the budget or detection fell by a tenth
	$(BIN)/python -m bench.rollback --quick

# An environment of its own: nobody else needs what mutmut brings.
MINUTES  ?= 110
MUTATION := .cache/mutation-env
.PHONY: mutation
mutation: $(MUTATION)/.installed  ## which small changes of guard, judge and store no test notices; goes on where it ended
	$(MUTATION)/bin/python scripts/mutation.py --minutes $(MINUTES)

$(MUTATION)/.installed: requirements/mutation.txt
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

lock:  ## write the hashed requirements again; needs uv
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group dev --extra postgres pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra postgres -c requirements/runtime.txt pyproject.toml -o requirements/image.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group mutation --extra postgres -c requirements/dev.txt pyproject.toml -o requirements/mutation.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  requirements/build.in -o requirements/build.txt

clean:
	rm -rf $(VENV) .cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

# The locks are complete, so nothing is resolved here: an old pip would take `coverage[toml]` for another package than
# the `coverage` that is pinned, and ask for the newest.
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check

# The development environment holds all that the runtime one does.
$(RUNTIME): requirements/runtime.txt requirements/build.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@test -e $(DEV) || { echo "installing what the watchdog needs into $(VENV) (about a minute)"; \
	  $(INSTALL) --require-hashes --no-deps -r requirements/build.txt -r requirements/runtime.txt && \
	  $(INSTALL) --no-deps --no-build-isolation -e . ; }
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(INSTALL) --require-hashes --no-deps -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

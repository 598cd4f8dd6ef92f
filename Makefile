# `make demo` runs the main job once, `make run` keeps serving, `make test` proves everything.
# Each sets up what it needs by itself (.venv, locked dependencies; the tests also PostgreSQL and RabbitMQ).

PROTOCOL ?= 3.3
PORT ?= 8080
PYTHON_VERSION ?= 3.13
PYTEST = .venv/bin/python -m powerauth_cli.localservers .venv/bin/pytest

# What is started many times is not to be compiled each time, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo run test suite test-deploy test-cluster golden fuzz soak check style types walk lines lock dist wheelhouse images clean

demo: runtime
	.venv/bin/powerauth demo --protocol $(PROTOCOL)

run: runtime
	.venv/bin/powerauth run --port $(PORT)

# Types beside the tests: each fills the pauses of the other.
test: style
	@$(MAKE) --no-print-directory --jobs 2 types suite

# One process more than the cores that the tests are made for: much of what they do is to wait.
suite: dev
	$(PYTEST) -q -n 3 --dist loadscope --no-loadscope-reorder

# The generated input of `make test`, twenty times as much.
fuzz: dev
	POWERAUTH_FUZZ_SCALE=20 $(PYTEST) -q -m fuzz tests/fuzz services/enrollment
	POWERAUTH_FUZZ_SCALE=100 $(PYTEST) -q -m fuzz services/powerauth-core/tests/passkeys services/powerauth-core/tests/fingerprints

# What `make test` proves in short, at length: replicas killed, replaced, and with a wrong clock, a database that fails
# over, providers and campaigns that break off, keys that are exchanged, all for minutes under load.
soak: dev
	POWERAUTH_SOAK_SCALE=8 $(PYTEST) -q -s -m faults tests/faults/test_availability_*.py
	POWERAUTH_FAULTS_SCALE=50 $(PYTEST) -q -m faults tests/faults/test_ringing_outages.py
	POWERAUTH_SOAK_SCALE=5 $(PYTEST) -q services/powerauth-core/tests/dmz/test_key_rotation.py

# What builds tools of operators, releases and images, and what installs all by docs/installing.md: as root on
# Debian, with Go, and minutes.
test-deploy: dev
	tests/deploy/tools/build.sh helm kube-score compose-check
	$(PYTEST) -q -m deploy tests/deploy tests/e2e/test_installing.py

# The chart installed, upgraded and removed at a real API server, which is built first: 6 minutes of processor time, once.
test-cluster: dev
	tests/deploy/tools/build.sh helm etcd kube-apiserver gateway-api
	.venv/bin/pytest -q -m cluster tests/deploy

# What `make test` reads of the chart: its README, and what it renders with every value set.
golden: dev
	tests/deploy/tools/build.sh helm
	.venv/bin/python scripts/chart_readme.py
	.venv/bin/python tests/deploy/support/deploy_helm.py

check: style types

style: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: dev
	.venv/bin/mypy

.PHONY: runtime dev
runtime:
	@scripts/venv.sh runtime

dev:
	@scripts/venv.sh dev

# What four trips through the running services touch of our own code.
walk: dev
	.venv/bin/python -m powerauth_cli.localservers .venv/bin/python -m powerauth_cli.walk

# Lines of code of the product and of its tests; the tests stay the smaller part.
lines:
	@python3 scripts/lines.py

lock: dist
	scripts/lock.sh

# A release: wheels and source distributions of every part, and what each image installs, into dist/.
dist: dev
	rm -rf dist
	.venv/bin/python scripts/dist.py

# Beside it the wheels of everything else, for Linux and the named Python: enough to install without a registry.
wheelhouse: dist
	.venv/bin/python scripts/wheelhouse.py dist/wheelhouse --python $(PYTHON_VERSION)

# Images of all services: `make images ENGINE=docker|podman|buildah BASE=python:3.13-slim PYTHON_VERSION=3.13`.
images: wheelhouse
	scripts/images.sh

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist

# Works from any working directory (make -C PATH, make -f PATH/Makefile) and writes only inside this folder.

# MAKEFILE_LIST holds one name after a space; a path may have spaces of its own, which make's functions would split at.
ROOT := $(shell cd "$$(dirname "$$(printf '%s' '$(MAKEFILE_LIST)' | sed 's/^ *//')")" && pwd)
BIN := $(ROOT)/.venv/bin
RUN := cd "$(ROOT)" &&

export TMPDIR := $(ROOT)/.gridgrade/tmp
# pip asks rustc for its version, and a rustc of rustup's makes itself a home.
export RUSTUP_HOME := $(TMPDIR)/rustup
# Imports without byte code are several times slower; the others would point Python at somebody else's packages.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo quick test test-trials test-slow test-compose test-mariadb test-spark test-wheel up down bench \
    lint wheel secrets dictionary lock audit sbom licences pictures venv
.DEFAULT_GOAL := help

help:  ## this list
	@$(RUN) sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' Makefile | while IFS='	' read -r name what; do \
	    printf '  make %-14s %s\n' "$$name" "$$what"; done

demo: venv  ## a sample utility, rated through Airflow's scheduler: grades, rebates, validation pages (ARGS="--customers 5000")
	@$(RUN) "$(BIN)/gridgrade" demo $(ARGS)

up: venv  ## Airflow with its UI on localhost, until Ctrl-C
	@$(RUN) "$(BIN)/gridgrade" up

down: venv  ## stop what make up or make demo left running
	@$(RUN) "$(BIN)/gridgrade" down

quick: venv  ## the inner loop, under 90 seconds: no PostgreSQL, Airflow, browser, sample or properties (ARGS="-k month")
	@$(RUN) "$(BIN)/python" -m pytest -m "not database and not sample and not hypothesis and not airflow and not browser and not slow \
	    and not celery and not mariadb and not spark and not wheel" \
	    --ignore tests/airflow --ignore tests/end_to_end -n 2 --dist loadfile $(ARGS)

test: venv  ## the tests, under 10 minutes on two cores (ARGS="-k month")
	@$(RUN) "$(BIN)/python" -m pytest -m "not trial and not slow and not celery and not mariadb and not spark and not wheel" \
	    -n 3 --dist loadfile --no-loadscope-reorder \
	    $(ARGS)

test-trials: venv  ## another 5 minutes: the demo through Airflow, killed runs, backups, backfills, upgrades, own folders
	@$(RUN) "$(BIN)/python" -m pytest -m "trial and not slow and not mariadb" -n 3 --dist loadfile $(ARGS)

test-slow: venv  ## trials of minutes and hours
	@$(RUN) "$(BIN)/python" -m pytest -m slow $(ARGS)

test-compose: venv  ## docker-compose.yaml's services, started natively; needs redis-server
	@$(RUN) "$(BIN)/python" -m pytest -m celery $(ARGS)

test-mariadb: venv  ## a billing system in MariaDB; needs mariadb-server
	@$(RUN) "$(BIN)/python" -m pytest -m mariadb $(ARGS)

test-spark: venv  ## Spark beside DuckDB on the same data; needs a JRE, installs PySpark (450 MB) into .venv
	@$(RUN) if ! command -v java >/dev/null && [ ! -x "$$JAVA_HOME/bin/java" ]; then \
	    echo "make test-spark needs Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)" >&2; exit 1; fi; \
	$(INDEX) UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=.venv \
	    "$(BIN)/uv" pip install --quiet --require-hashes -r requirements-spark.txt && \
	"$(BIN)/python" -m pytest -m spark $(ARGS)

test-wheel: venv  ## the wheel in an empty environment, outside the checkout: demo, rate, doctor
	@$(RUN) $(INDEX) "$(BIN)/python" -m pytest -m wheel tests/end_to_end/test_wheel.py $(ARGS)

bench: venv  ## months of 500 to 1,000,000 customers: seconds and memory per step, beside what it costs by hand (ARGS="--repeat 3")
	@$(RUN) "$(BIN)/python" -m benchmarks $(ARGS)

lint: venv  ## style, format, layers and types
	@$(RUN) "$(BIN)/ruff" check . && "$(BIN)/ruff" format --check . && "$(BIN)/lint-imports" --no-cache && "$(BIN)/mypy"

wheel: venv  ## the package, SQL, DAGs and plugins as one wheel under dist/
	@$(RUN) $(INDEX) UV_NO_CACHE=1 "$(BIN)/uv" build --wheel --quiet --out-dir dist $(ARGS)

# The folder is closed; the files are open to read, since each container mounts its own as a user of its own.
secrets:  ## secrets/: a random value in each file that docker-compose.yaml reads and that is not there yet
	@$(RUN) umask 077; mkdir -p secrets; \
	new() { [ -e "secrets/$$1" ] || { printf '%s' "$$2" > "secrets/$$1" && chmod 444 "secrets/$$1"; }; }; \
	random() { openssl rand -hex 24; }; \
	for name in airflow_admin_password airflow_session_key airflow_token_key postgres_password \
	    report_reader_password; do new $$name "$$(random)"; done; \
	new airflow_fernet_key "$$(openssl rand -base64 32 | tr '+/' '-_')"; \
	new airflow_database_url "postgresql+psycopg2://airflow:$$(random)@metadata:5432/airflow"; \
	new airflow_broker_url "redis://:$$(random)@redis:6379/0"; \
	new aws_credentials "$$(printf '[default]\naws_access_key_id = gridgrade\naws_secret_access_key = %s' "$$(random)")"; \
	new gridgrade_warehouse_url "postgresql://gridgrade_pipeline:$$(random)@warehouse:5432/warehouse"; \
	[ -e secrets/gridgrade_source_url ] || \
	    echo "now write the billing system's SQLAlchemy URL into secrets/gridgrade_source_url, and chmod 444 it"

pictures: venv  ## take docs/pictures anew of the demo's pages; needs chromium
	@$(RUN) "$(BIN)/python" -m docs.take_pictures

dictionary: venv  ## write docs/data-dictionary.md anew from the default policy and the DDL
	@$(RUN) env -u GRIDGRADE_POLICY "$(BIN)/gridgrade" dictionary --out docs/data-dictionary.md

COMPILE = "$(BIN)/uv" pip compile --universal --python-version 3.11 --generate-hashes \
    --custom-compile-command "make lock" --no-cache --quiet $(ARGS)
EXTRA = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["spark"])

lock: venv  ## compile requirements*.txt anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(RUN) $(INDEX) $(COMPILE) pyproject.toml --group dev -o requirements.txt && \
	"$(BIN)/python" -c '$(EXTRA)' | $(COMPILE) - -c requirements.txt -o requirements-spark.txt

# Tools that look at the lock, each run in an environment of its own; they need the package index.
TOOL = $(INDEX) UV_NO_CACHE=1 UV_TOOL_DIR="$(TMPDIR)/tools" "$(BIN)/uv" tool run --quiet

audit: venv  ## known vulnerabilities of what requirements*.txt lock; says so and passes where PyPI cannot be asked
	@$(RUN) if ! "$(BIN)/python" -c 'import urllib.request; urllib.request.urlopen("https://pypi.org/pypi/pip/25.0/json", timeout=20)' \
	    2>/dev/null; then echo "skipped: PyPI's list of vulnerabilities cannot be reached"; exit 0; fi; \
	$(TOOL) pip-audit==2.10.1 -r requirements.txt -r requirements-spark.txt --require-hashes --disable-pip --strict $(ARGS)

sbom: venv  ## what requirements.txt locks as dist/sbom.cdx.json (CycloneDX)
	@$(RUN) mkdir -p dist; $(TOOL) --from cyclonedx-bom==7.3.1 cyclonedx-py requirements requirements.txt \
	    --output-format JSON --output-file dist/sbom.cdx.json

licences: venv  ## write docs/licences.md anew: the licence of every locked package
	@$(RUN) $(TOOL) --from pip-licenses==5.5.5 pip-licenses --python "$(BIN)/python" \
	    --ignore-packages gridgrade grpcio-status py4j pyspark zstandard \
	    --order name --format markdown --output-file docs/licences.md >/dev/null

# pip's own configuration decides where packages come from; uv does not read it.
INDEX = pip() { "$(BIN)/python" -m pip config get "$$1" 2>/dev/null || true; }; \
    index="$${PIP_INDEX_URL:-$$(pip global.index-url)}"; certificates="$${PIP_CERT:-$$(pip global.cert)}"; \
    if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; fi; \
    if [ -n "$$certificates" ]; then export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$certificates}"; fi;

# What the virtual environment was built from; it is built anew when that changes, or when a build broke off.
BUILT_FROM = cat requirements.txt pyproject.toml && pwd

venv:
	@$(RUN) mkdir -p .gridgrade/tmp; \
	if [ -x .venv/bin/python ] && { $(BUILT_FROM); } | cmp -s - .venv/built-from; then exit 0; fi; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	        2>/dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "gridgrade needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt-get install python3-venv);" \
	        "or name one: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	echo "installing the locked packages into .venv" && \
	"$$python" -m venv --clear .venv && \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt && \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
	    -r .venv/uv.txt && \
	$(INDEX) export UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=.venv && \
	.venv/bin/uv pip install --quiet --require-hashes -r requirements.txt && \
	.venv/bin/uv pip install --quiet --no-deps --editable . && \
	{ $(BUILT_FROM); } > .venv/built-from

# make demo   index the sample corpus, search it, ask it (sets everything up first)
# make test   what must hold on a user's machine
# make check  format, lint, types and locks, for whoever changes the code
# make help   every target

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
CODE := retrieval ingest api
LOCKS := requirements.lock requirements-dev.lock

# What torch would bring: gigabytes, and on this platform's index CUDA with them.
UNWANTED := ^(torch|torchvision|torchaudio|triton|sentence-transformers|nvidia|cuda)[a-z0-9-]*==

.PHONY: help demo test check coverage quality quality-report format lint types locks lock model clean docs \
	walk-openai2 walk-node integrations fuzz bench-api bench-memory bench-ingest bench-streams wire bench-performance

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.runtime model  ## index the sample corpus, search it, ask it
	$(PY) -m api.demo

test: $(VENV)/.dev  ## all tests
	$(PY) -m pytest -q $(ARGS)

# Public sets in BEIR layout, one folder each; they are not ours to ship.
JUDGED_SETS ?= ../shared/data

quality: $(VENV)/.dev  ## judged questions: the sample corpus, and JUDGED_SETS=FOLDER where it is there
	@test -d '$(JUDGED_SETS)' || echo 'No judged sets in $(JUDGED_SETS): only the sample corpus is measured.'
	$(if $(wildcard $(JUDGED_SETS)),SOURCEBOOK_JUDGED_SETS='$(JUDGED_SETS)') $(PY) -m pytest -q -s tests/quality $(ARGS)

# Recordings of the hosted service; they are not ours to ship either.
WIRE ?= ../shared/wire

wire: $(VENV)/.dev  ## replay recorded exchanges: WIRE=FOLDER with the recordings
	@test -d '$(WIRE)' || { echo 'No recordings in $(WIRE): nothing is replayed.' >&2; exit 1; }
	SOURCEBOOK_WIRE='$(WIRE)' $(PY) -m pytest -q tests/contract/test_wire.py $(ARGS)

KEEP ?= build/quality

quality-report: $(VENV)/.dev  ## write docs/QUALITY.md; KEEP=FOLDER holds indexed sets and vectors
	$(PY) -m tests.quality.quality_report --sets '$(JUDGED_SETS)' --keep '$(KEEP)'

coverage: $(VENV)/.dev  ## the tests, and which lines and branches they leave out
	$(PY) -m pytest -q --cov-branch $(CODE:%=--cov=%) --cov-report=term-missing:skip-covered $(ARGS)

check: format lint types locks  ## format, lint, types and locks

docs: $(VENV)/.dev  ## write docs/COMPATIBILITY.md from the published API and ours
	$(PY) tests/contract/compatibility.py

format: $(VENV)/.dev
	$(PY) -m ruff format --check .

lint: $(VENV)/.dev
	$(PY) -m ruff check .

types: $(VENV)/.dev
	$(PY) -m mypy

locks:
	@if grep -nE '$(UNWANTED)' $(LOCKS); then \
	  echo 'The locks must stay free of PyTorch and CUDA: see docs/decisions/0001-no-torch-by-default.md' >&2; exit 1; fi
	@if grep -nE 'https?://' $(LOCKS); then echo 'The locks must name no index.' >&2; exit 1; fi

model: $(VENV)/.runtime  ## write the default model out for ONNX Runtime (once, two seconds)
	@$(PY) -c 'from api.settings import Settings; from retrieval.embedder import load_embedder; s = Settings.load(); print("Embedding model:", load_embedder(s.embedder, cache=s.cache).id)'

# --- opt-in: programs of others against a real server; they need the network to be installed ---

OUTSIDE := $(PY) tests/contract/outside.py

build/openai2/.made: $(VENV)/.made
	$(PYTHON) -m venv build/openai2
	build/openai2/bin/pip install --quiet 'openai>=2,<3'
	@touch $@

walk-openai2: $(VENV)/.dev build/openai2/.made  ## the walk over every method with openai 2.x
	$(OUTSIDE) build/openai2/bin/python tests/contract/walk.py

tests/contract/node/node_modules/.made: tests/contract/node/package.json
	cd tests/contract/node && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

walk-node: $(VENV)/.dev tests/contract/node/node_modules/.made  ## the same with the Node client
	$(OUTSIDE) node tests/contract/node/walk.mjs
	$(OUTSIDE) node tests/contract/node/streams.mjs

build/langchain/.made: INSTALLED := langchain-openai openai-agents
build/litellm/.made: INSTALLED := litellm mcp
build/langchain/.made build/litellm/.made: $(VENV)/.made
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(INSTALLED)
	@touch $@

docs/integrations/node_modules/.made: docs/integrations/package.json
	cd docs/integrations && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

integrations: $(VENV)/.dev build/langchain/.made build/litellm/.made docs/integrations/node_modules/.made  ## the examples in docs/integrations
	$(OUTSIDE) build/langchain/bin/python docs/integrations/langchain_answers.py
	$(OUTSIDE) build/langchain/bin/python docs/integrations/openai_agents.py
	LITELLM_LOCAL_MODEL_COST_MAP=True $(OUTSIDE) build/litellm/bin/python docs/integrations/litellm_stores.py
	$(OUTSIDE) node docs/integrations/vercel_ai.mjs

build/schemathesis/.made: $(VENV)/.made
	$(PYTHON) -m venv build/schemathesis
	build/schemathesis/bin/pip install --quiet schemathesis
	@touch $@

MINUTES ?= 15
fuzz: $(VENV)/.dev build/schemathesis/.made  ## schemathesis over our description and the published one, MINUTES=15 each
	$(PY) tests/contract/fuzz.py own --minutes $(MINUTES)
	$(PY) tests/contract/fuzz.py official --minutes $(MINUTES)

bench-memory: $(VENV)/.dev  ## peak memory of 500 MB of text, 4.5M tokens, a PDF of 2,000 pages; ARGS='pdf --scale 0.1'
	$(PY) benchmarks/memory.py $(ARGS)

bench-api: $(VENV)/.dev  ## requests a second and latency of metadata and lists
	$(PY) benchmarks/metadata.py

bench-streams: $(VENV)/.dev  ## what a stream costs beside search and model, and 200 of them at once
	$(PY) benchmarks/streams.py $(ARGS)

bench-ingest: $(VENV)/.dev  ## what indexing costs, stage by stage, and beside the model alone
	$(PY) benchmarks/ingest.py $(ARGS)

build/keyword/.made: INSTALLED := tantivy bm25s
build/keyword/.made: $(VENV)/.made
	$(PYTHON) -m venv build/keyword
	build/keyword/bin/pip install --quiet --no-deps $(INSTALLED)
	@touch $@

build/engines/.made: INSTALLED := numpy faiss-cpu qdrant-edge-py hnswlib lancedb apsw sqlite-vec chromadb milvus-lite pymilvus
build/engines/.made: $(VENV)/.made
	$(PYTHON) -m venv build/engines
	build/engines/bin/pip install --quiet $(INSTALLED)
	@touch $@

bench-performance: $(VENV)/.dev build/engines/.made build/keyword/.made  ## write docs/PERFORMANCE.md; an hour the first time; ARGS='--parts http --sizes 100000'
	PYTHONPATH="$$(echo build/keyword/lib/python*/site-packages)" $(PY) benchmarks/performance.py --sets '$(JUDGED_SETS)' --theirs build/engines/bin/python $(ARGS)

# --- set-up: a second run finds the stamps and takes no time -----------------------------

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, not %s: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# --no-deps: the lock is complete, and two packages declare PyTorch for code that we never run.
define install
$(PIP) install --quiet --require-hashes --no-deps --only-binary :all: -r $(1)
$(PIP) install --quiet --no-deps --no-build-isolation --editable .
@touch $@
endef

$(VENV)/.runtime: requirements.lock pyproject.toml $(VENV)/.made | locks
	$(call install,$<)

$(VENV)/.dev: requirements-dev.lock pyproject.toml $(VENV)/.made | locks
	$(call install,$<)

# --- the locks: exact versions with hashes, one file for every system and Python 3.11+ ---

COMPILE := $(PY) -m uv pip compile --quiet --no-config --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command 'make lock' \
	--excludes requirements-excluded.in

lock: $(VENV)/.made  ## newest versions of everything into the locks
	$(PIP) install --quiet uv
	$(COMPILE) pyproject.toml requirements.in -o requirements.lock
	$(COMPILE) pyproject.toml requirements.in requirements-dev.in -c requirements.lock -o requirements-dev.lock
	@$(MAKE) --no-print-directory locks

clean:  ## remove what make made; stored data stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

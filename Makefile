# `make run` and `make test` do all the set-up a machine with Python 3.11-3.13 and make needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TOOLS  := $(VENV)-tools
SHARED := ../shared/data
TWO    := -n 2 --dist loadgroup  # tests in two processes side by side; those that share a costly fixture in one
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all:
COMPILE = $(TOOLS)/bin/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

# Every process that a target starts finds its modules compiled, even where the environment forbids to keep them.
export PYTHONDONTWRITEBYTECODE :=

# Data that lies beside the project is used where it is; otherwise data/raw is looked in.
ifneq ($(wildcard $(SHARED)),)
export ASSAY_DATA ?= $(abspath $(SHARED))
endif

.PHONY: run test check chaos lint lock wheel release storage cluster serve deploy image image-test sbom licences audit clean help

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/runtime  ## Check the built-in study (offline, real data)
	$(BIN)/python flows/main.py

test: $(VENV)/dev  ## Run every test
	$(BIN)/python -m pytest $(TWO)

check: $(VENV)/dev  ## Run the quick tests: no Keras, no Prefect server
	$(BIN)/python -m pytest $(TWO) -m "not slow and not flow"

chaos: $(VENV)/dev  ## Disturb a check in every way a machine does, hundreds of times; writes docs/chaos.md (hours)
	$(BIN)/python -m bench.chaos --kills 200 -o docs/chaos.md

lint: $(VENV)/dev  ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: $(TOOLS)/installed  ## Compile every *.in into its lock, each package with its hashes; versions locked already stay
	$(COMPILE) requirements-prefect.in -o requirements.txt
	$(COMPILE) requirements.in -c requirements.txt -o assay/requirements.txt
	$(COMPILE) requirements-s3.in -o requirements-s3.txt
	$(COMPILE) requirements-dask.in -o requirements-dask.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	$(COMPILE) containers/tools.in -o containers/tools.txt
	$(TOOLS)/bin/python containers/conda.py assay/requirements.txt environment.yml

wheel: $(TOOLS)/installed  ## Build the wheel and its source archive into dist/; the same bytes each time
	$(TOOLS)/bin/hatchling build -d dist

release: $(TOOLS)/installed  ## Build wheel, source archive, SBOM and SHA256SUMS of the commit into dist/; KEY=FILE signs them
	$(TOOLS)/bin/python containers/release.py $(if $(KEY),--sign $(KEY))

storage: requirements-s3.txt $(VENV)/runtime  ## Install what --store s3://BUCKET/PREFIX needs (docs/scale.md)
	$(BIN)/python $(INSTALL) -r requirements-s3.txt -c requirements.txt

cluster: requirements-dask.txt $(VENV)/runtime  ## Install what --runner dask needs (docs/scale.md)
	$(BIN)/python $(INSTALL) -r requirements-dask.txt -c requirements.txt

serve: $(VENV)/runtime  ## A Prefect server, every deployment and a worker, for one person; Ctrl-C ends them
	@$(BIN)/python -m flows.serving

deploy: $(VENV)/runtime  ## Register deployments with the server that PREFECT_API_URL names
	@$(BIN)/python -m flows.deploying

image: | $(BIN)/python  ## Build the images localhost/assay and localhost/assay-predict
	PYTHON=$(BIN)/python containers/build.sh

image-test: image $(VENV)/runtime  ## Build both images, and run them with everything taken away
	PYTHON=$(BIN)/python containers/test.sh

sbom: $(TOOLS)/installed  ## Write artifacts/sbom/assay.cdx.json: what the lock holds, as CycloneDX
	@mkdir -p artifacts/sbom
	$(TOOLS)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON \
	  -o artifacts/sbom/assay.cdx.json requirements.txt

licences: $(TOOLS)/installed $(VENV)/runtime  ## Write artifacts/sbom/licences.md: under which licence each package comes
	@mkdir -p artifacts/sbom
	$(TOOLS)/bin/pip-licenses --python=$(BIN)/python --from=mixed --format=markdown --with-urls \
	  --packages $$(sed -n 's/^\([a-zA-Z0-9._-]*\)==.*/\1/p' requirements.txt | sort -u) --output-file=artifacts/sbom/licences.md

audit: $(TOOLS)/installed  ## Look up known vulnerabilities of what the lock holds; says if their database did not answer
	$(TOOLS)/bin/python containers/audit.py requirements.txt

clean:  ## Remove the environment, caches and everything runs have left
	rm -rf $(VENV) $(TOOLS) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find artifacts -mindepth 1 ! -name README.md -delete

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(BIN)/python
	$(BIN)/python $(INSTALL) -r requirements.txt -c requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/runtime
	$(BIN)/python $(INSTALL) -r requirements-dev.txt -c requirements.txt
	@touch $@

$(TOOLS)/installed: containers/tools.txt
	@$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(INSTALL) -r containers/tools.txt
	@touch $@

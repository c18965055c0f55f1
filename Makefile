# Two commands do everything: `make repro` and `make test`. Each makes its environment first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# DVC's own index cache is shared by all users of a machine unless it is given a private place.
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site
# Keep bytecode even where the environment forbids it, as container images do: otherwise each process compiles all its
# imports, which takes seconds. Not with less than 1 GiB free: a full disk would cut bytecode off (tools/mend.py).
export PYTHONDONTWRITEBYTECODE := $(shell df -Pk . | awk 'NR == 2 && $$4 < 1048576 { print 1 }')
# Paths and printing in UTF-8, in any locale (pipeline/running/utf8.py).
export PYTHONUTF8 := 1
UV := $(or $(shell command -v uv),.uv/bin/uv)
BASE ?= main
POSTS ?= 10000
export Q
BENCHMARKS = $(subst /,.,$(patsubst benchmarks/%.py,%,$(shell grep -l __main__ benchmarks/*/*.py)))

help:  ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

repro: .venv/.synced  ## Set up the environment, run the whole pipeline, print the results
	@python -m tools.mend --lock
	@dvc repro
	@python -m tools.results

mend: .venv/.synced  ## Remove damaged files of dvc.lock, data/ and DVC's cache; `make repro` then makes them again
	@python -m tools.mend

paper: .venv/.synced  ## Build the paper's Tables 2, 3 and 4 on this corpus: paper/tables.md
	@python -m tools.mend --lock
	@dvc repro paper/dvc.yaml
	@# The report shows the tables where they are, and does not depend on them: dvc repro alone trains no nine rows.
	@dvc repro --force --single-item report

# A process a core, with one thread each, and no pool of processes but where a test asks for one: at the size of a test,
# threads that wait for each other cost up to ten times what they do, and a pool ten seconds of imports. Fixtures are of
# a file, so a file stays with a process; tests/conftest.py gives those that start processes to one, whose server forks
# for all of them, and puts first what takes longest.
test: .venv/.synced  ## Run the tests, but the slow ones
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-cluster: .venv/.clustered  ## Run the tests of ENGINE=ray, on nodes that are processes of this machine
	@pytest -m cluster

env: .venv/.synced  ## Set up the environment only, in .venv

bench: .venv/.synced  ## Run a benchmark, with the other tools that it needs: make bench NAME=texts.text_join ARGS=… (docs/benchmarks.md)
	@[ -n "$(NAME)" ] || { echo "make bench NAME=…, one of: $(BENCHMARKS)"; exit 1; }
	@$(MAKE) --no-print-directory .venv/.benched
	@python -m benchmarks.$(NAME) $(ARGS)

cluster: .venv/.clustered  ## Install Ray; then ENGINE=ray RAY_ADDRESS=head:6379 dvc repro (docs/cluster.md)

lint: .venv/.synced  ## Check style, types, and dvc.yaml against the code
	@ruff check .
	@ruff format --check .
	@mypy
	@python -m tools.contract

share: .venv/.synced  ## Pack report, metrics and cards into share/share.zip; refuses if a name is in them; VECTORS=1, NAMES=1
	@python -m tools.share $(if $(VECTORS),--vectors) $(if $(NAMES),--names)

sbom: | $(UV)  ## Write a bill of materials of the environment, as CycloneDX: sbom.cdx.json
	@cat requirements.lock ocr.lock | $(UV) tool run --quiet --from 'cyclonedx-bom==7.2.*' cyclonedx-py requirements - \
	    --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.cdx.json 2>/dev/null

# USER is also the login name that the environment has: only one that is typed counts.
erase: .venv/.synced  ## Remove a person, or a post, from everything: make erase USER=anna, LIST=ids.txt or POST=123
	@python -m tools.erase $(if $(filter command line,$(origin USER)),--user '$(USER)') \
	    $(if $(LIST),--list '$(LIST)') $(if $(POST),--post '$(POST)') $(if $(YES),--yes)

explore: .venv/.synced  ## Serve a page to search and compare users, images and texts, on this machine only
	@python -m explore

ask: .venv/.synced  ## Search from the shell: make ask Q="red flower", or Q="beach + user:ann - surf"
	@python -m explore.ask "$$Q"

check-lock: .venv/.synced  ## Fail if dvc.lock is out of date (also in a clone without data)
	@python -m tools.check_lock

pr-report: .venv/.synced  ## Print, as Markdown, what changed in metrics and params since BASE
	@python -m tools.pr_report $(BASE)

scale: .venv/.synced  ## Measure the stages at a size: make scale POSTS=100000 (several sizes: POSTS='10000 100000')
	@python -m benchmarks.scale.posts $(POSTS)

lock:  ## Compile requirements.lock, cluster.lock and ocr.lock from pyproject.toml
	$(UV) pip compile --quiet pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header -o requirements.lock
	grep -o 'ray==[0-9.]*' pyproject.toml | $(UV) pip compile --quiet - --constraint requirements.lock --universal \
	    --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o cluster.lock
	grep -o 'rapidocr-onnxruntime==[0-9.]*' pyproject.toml | $(UV) pip compile --quiet - --no-deps --universal \
	    --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o ocr.lock

# Of ocr.lock the wheel alone, for the networks in it: what it asks for would put another opencv-python over the locked one.
.venv/.synced: requirements.lock ocr.lock | $(UV)
	@echo "Making .venv from requirements.lock (several GB, once) …"
	@[ -x .venv/bin/python ] || $(UV) venv --quiet --python '>=3.11,<3.13' .venv
	@$(UV) pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock
	@$(UV) pip install --quiet --require-hashes --no-deps --python .venv/bin/python --requirement ocr.lock
	@touch $@

# The peers beside what is locked, each locked version as it is; the next sync takes them out, and this puts them back.
.venv/.benched: pyproject.toml .venv/.synced
	@echo "Installing the peers (the extra bench) …"
	@$(UV) pip install --quiet --python .venv/bin/python --constraint requirements.lock --requirement pyproject.toml --extra bench
	@touch $@

# Ray with what it needs, each version that is locked as it is; the next sync takes it out, and this puts it back.
.venv/.clustered: cluster.lock .venv/.synced
	@echo "Installing Ray (the extra cluster) …"
	@$(UV) pip install --quiet --require-hashes --python .venv/bin/python --requirement cluster.lock
	@touch $@

# Only where no uv is installed.
.uv/bin/uv:
	@python3 -m venv .uv
	@.uv/bin/python -m pip install --quiet uv

.PHONY: cluster test-cluster erase help sbom share env repro mend paper test bench lint check-lock pr-report scale lock explore ask

# Two commands do everything on a bare machine: `make demo` and `make test`.
# Each first brings .venv up to the lock it needs; when nothing changed, that costs nothing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help demo test bench lint format cover lock clean venv-run venv-dev

# What the machine happens to have must not leak in.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# The first interpreter that is new enough; `make PYTHON=/path/to/python3 ...` overrides.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
WORKERS ?= auto
SCALE ?= quick
# New releases wait this long before a lock takes them.
COOLDOWN ?= 7 days

help: ## List the targets
	sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

demo: venv-run ## Run the whole story on an embedded database
	$(BIN)/tallystick demo

test: venv-dev ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS)

bench: venv-dev ## Run the benchmarks; SCALE=full takes long
	$(BIN)/python -m tests.benchmarks --scale $(SCALE)

lint: venv-dev ## Check format, style, types, import rules and spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: venv-dev ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cover: venv-dev ## Run the tests and report branch coverage
	$(BIN)/python -m pytest -n $(WORKERS) --cov

lock: ## Lock the dependencies again (needs uv)
	command -v uv >/dev/null || { echo "uv makes the locks; install it first" >&2; exit 1; }
	export UV_CUSTOM_COMPILE_COMMAND="make lock"
	compile() {
	  uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --no-emit-index-url --no-emit-find-links --upgrade \
	    --exclude-newer "$(COOLDOWN)" --extra server --group build "$$@"
	}
	compile --output-file requirements/run.txt
	compile --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

clean: ## Remove the environment and the caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf .coverage .coverage.* dist
	find registry clearing api tests -name __pycache__ -type d -prune -exec rm -rf {} +

venv-run: ; $(call install,run)
venv-dev: ; $(call install,dev)

# Installs one lock and then the project itself, unless the stamp says that it is there.
# The dev lock holds the run lock, so its stamp counts for both.
define install
# An environment knows its own path, so one that was moved does not count.
works() { $(BIN)/python -c '' 2>/dev/null && grep -qF '$(CURDIR)/.venv' .venv/pyvenv.cfg; }
# Of pyproject.toml only what an installation depends on: the part before the tools' settings.
stamp() {
  { cat requirements/$$1.txt; sed '/^\[tool\.pytest/,$$d' pyproject.toml; } | sha256sum | cut -d' ' -f1
}
holds() { [ "$$(cat .venv/.$$1 2>/dev/null)" = "$$(stamp $$1)" ]; }
if works && holds $(1); then exit 0; fi
$(make_venv)
rm -f .venv/.run .venv/.dev
echo "installing requirements/$(1).txt into .venv" >&2
# Every file is pinned and hashed: nothing to resolve, nothing to build.
$(BIN)/python -m pip install --quiet --no-deps --no-compile --only-binary :all: \
  --require-hashes -r requirements/$(1).txt
$(BIN)/python -m pip install --quiet --no-deps --no-compile --no-index --no-build-isolation -e .
stamp $(1) > .venv/.$(1)
if [ $(1) = dev ]; then stamp run > .venv/.run; fi
endef

define make_venv
if ! works; then
  for candidate in $(PYTHON) none; do
    $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
  done
  if [ $$candidate = none ]; then
    echo "Python 3.11 or newer is needed, and none of these is: $(PYTHON)" >&2; exit 1
  fi
  # Debian keeps the module that puts pip into an environment in a package of its own.
  if ! $$candidate -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "installing python3-venv" >&2
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >&2
    else
      echo "this Python cannot make environments; run: sudo apt-get install python3-venv" >&2; exit 1
    fi
  fi
  rm -rf .venv
  $$candidate -m venv .venv
fi
endef

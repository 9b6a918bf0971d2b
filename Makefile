# Nothing is needed beforehand but make and Python 3.11+; `make test` and `make demo` work from any
# state of .venv.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/installed

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Can this environment be built upon? It runs, it is new enough, it has pip, and no package in it is
# half installed: pip writes INSTALLER after a package's files, so one without it was interrupted.
SOUND := import pathlib, pip, sys, sysconfig; \
         packages = pathlib.Path(sysconfig.get_path("purelib")).glob("[!~]*.dist-info"); \
         whole = all((package / "INSTALLER").exists() for package in packages); \
         sys.exit(sys.version_info < (3, 11) or not whole)

.DEFAULT_GOAL := help
.PHONY: help venv demo native quick test plain slow lint docs wheel release bench peers clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## build .venv from constraints.txt (PYTHON=python3.12 takes that Python)

# An environment that is not sound is made again, whatever the date of its stamp.
ifneq ($(shell $(PY) -c '$(SOUND)' 2>/dev/null && echo sound),sound)
.PHONY: $(STAMP)
endif
$(STAMP): pyproject.toml constraints.txt setup.py
	@$(PY) -c '$(SOUND)' 2>/dev/null || { \
	    $(PYTHON) -c '$(NEW_ENOUGH)' || { \
	        echo "equinet needs Python 3.11 or newer, '$(PYTHON)' is not: try PYTHON=python3.12" >&2; \
	        exit 1; }; \
	    echo "making $(VENV) anew with $(PYTHON)"; \
	    rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".[examples,test,dev]"
	@touch $@

demo: $(STAMP)  ## learn real digits on the sphere and read rotated ones (minutes)
	$(PY) -m examples.spherical_mnist demo

# The libraries that an installation compiled are refused when the sources have changed since.
native: $(STAMP)  ## compile the operators, where there is a C++ compiler
	EQUINET_BUILD=auto $(PY) -m equinet.build

# Two workers of one thread each: more threads than cores make everything slower.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal

# Of each test and law the first case, without what compiles or starts processes.
quick: native  ## run the first case of every test, without those of the examples
	$(PYTEST) --quick -m "not (slow or native or compile or process)" --ignore tests/examples tests

test: native  ## run the tests, without the slow ones, and the examples in docstrings
	$(PYTEST) tests
	$(PYTEST) --doctest-modules equinet

# What calls operators: the operators, the transforms, and every module, forwards and backwards.
# Traces and torch.func take the references anyway, so `make test` has seen those.
plain: $(STAMP)  ## run the tests of operators again without the compiled ones
	EQUINET_BUILD=0 $(PYTEST) -m "not slow and not native and not compile" tests/ops tests/laws/test_module_law.py \
	    $(addprefix tests/harmonics/test_, s2_fft.py so3_fft.py transform.py) \
	    $(addprefix tests/field/test_, action.py noise.py transform.py) tests/nn/test_sphere_conv.py

slow: native  ## run the slow tests
	$(PY) -m pytest -m slow tests

lint: $(STAMP)  ## ruff, pyright, import-linter
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright
	$(PY) $(VENV)/bin/lint-imports

# Sphinx and what it needs come on top, when they are asked for.
$(VENV)/docs: $(STAMP)
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".[docs]"
	@touch $@

docs: $(VENV)/docs  ## build the pages into build/docs, every cell executed; a warning is an error
	OMP_NUM_THREADS=1 $(PY) -m sphinx -E -W --keep-going -b html docs build/docs

wheel: $(STAMP)  ## make the archive of the sources and wheels of it, and try them
	$(PY) -m pytest -m slow tests/test_wheel.py

# What makes and looks at archives has an environment of its own, without torch.
RELEASE := .venv-release
TOOLS   := import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
           print(*project["optional-dependencies"]["release"])

$(RELEASE)/installed: pyproject.toml constraints.txt
	rm -rf $(RELEASE) && $(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --disable-pip-version-check -c constraints.txt \
	    $$($(PYTHON) -c '$(TOOLS)')
	@touch $@

release: $(RELEASE)/installed  ## make in dist what is uploaded, of the last commit, and try it (TAG=v0.1.0)
	$(RELEASE)/bin/python .ci/release.py --tag "$(TAG)"

bench: $(STAMP)  ## time the algebra and the layers, beside the peers that are installed
	$(PY) -m benchmarks algebra
	$(PY) -m benchmarks steerable
	$(PY) -m benchmarks spherical

# The libraries that converters convert from need another numpy, so they have an environment of their
# own. s2cnn, se3cnn and GrouPy are on no package index: clones go on PYTHONPATH.
PEERS := $(VENV)-peers
$(PEERS)/installed: tests/peers/requirements.txt
	@command -v gfortran > /dev/null || { \
	    echo "escnn needs a Fortran compiler: apt-get install gfortran" >&2; exit 1; }
	rm -rf $(PEERS) && $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --disable-pip-version-check -r tests/peers/requirements.txt
	$(PEERS)/bin/python -m pip install --disable-pip-version-check --no-deps torch-harmonics==0.9.3
	@touch $@

peers: $(PEERS)/installed  ## compare converters with the libraries themselves (minutes)
	OMP_NUM_THREADS=1 $(PEERS)/bin/python -m tests.peers

clean:  ## remove builds and caches; environments and runs/ stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path './$(VENV)*' -prune -o -type d -name __pycache__ -exec rm -rf {} +

# mlrq: every target that is a file is made only when what it is made from has changed.
# Overrides go in ARGS: make quantize ARGS="quantization.bits=4". `make help` lists the targets.

PYTHON  ?= python3
VENV    := .venv
PY      := $(VENV)/bin/python
READY   := $(VENV)/.ready
# What was given is never read as make's own text, nor by a shell: it goes to mlrq.cli.make in the environment.
override ARGS := $(value ARGS)
override OUT  := $(or $(value OUT),outputs)
GOALS   := $(MAKECMDGOALS)
export ARGS OUT GOALS
MLRQ    := "$(PY)" -m mlrq.cli.make run
EMPTY   :=
O       := $(subst $(EMPTY) $(EMPTY),\ ,$(OUT))

SOURCES := $(shell find mlrq conf -type f -not -name '*.pyc' -not -name '*.so')

.SUFFIXES:
.DEFAULT_GOAL := help

.PHONY: all train quantize evaluate verify predict export size prove parity toolchain sweep summary docker docker-test docker-reproduce test test-all lint format bench lock clean help

all: $(O)/evaluation.json $(O)/model.joblib ## Train, quantize, evaluate; build the image if it can be
	@$(MAKE) --no-print-directory "$$OUT/image.id" IMAGE_OPTIONAL=1

train: $(O)/float.json $(O)/model.joblib ## Fit the float model
quantize: $(O)/quantized.json ## Make the integer model; trains only if that changed
evaluate: $(O)/evaluation.json ## Compare float and integer on the test rows

predict: | $(READY) ## Predict rows: ARGS="predict.input=rows.csv"
	@$(MAKE) --no-print-directory "$$OUT/quantized.json" GOALS=predict >&2
	@$(MLRQ) predict

verify: $(O)/quantized.json ## Show in exact integers that the codes are best
	@$(MLRQ) verify

export: $(O)/quantized.json ## Write C, ONNX or an estimator: ARGS="export=onnx"
	@$(MLRQ) export

size: $(READY) ## Bytes on a Cortex-M0, and a self-test on an emulated one
	@$(MLRQ) size >/dev/null
	@$(MLRQ) size-export >/dev/null
	@"$(PY)" microcontroller/size.py "$$OUT/size/export" $(if $(AT_MOST),--at-most $(AT_MOST))

prove: $(READY) ## Prove exported C, for all inputs
	@$(MLRQ) size >/dev/null
	@$(MLRQ) size-export >/dev/null
	@"$(PY)" prove/prove.py "$$OUT/size/export" "$$OUT/size/quantized.json"
	@"$(PY)" prove/prove.py

parity: $(READY) ## Hold Python, C and ONNX Runtime to the same integers
	@$(PYTEST) tests/export -m "slow or not slow"

toolchain: ## Install compilers, emulators and provers (Debian, Ubuntu)
	@if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends gcc g++ clang gcc-arm-none-eabi qemu-system-arm \
	  gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user \
	  frama-c-base cppcheck >/dev/null

sweep: $(READY) ## Compare bit widths; ARGS="model=ridge,lasso" sweeps that
	@$(MLRQ) sweep

summary: ## The table of the newest sweep as Markdown
	@cat "$$(ls -t "$$OUT"/sweeps/*/sweep.md | head -n 1)"

# ---- files

$(O)/float.json: $(SOURCES) $(O)/train.args | $(READY)
	@$(MLRQ) train

# Training leaves the estimator that scikit-learn fitted; where there was none to fit, it is made of the model.
$(O)/model.joblib: $(O)/float.json | $(READY)
	@if [ -e "$$OUT/model.joblib" ]; then touch "$$OUT/model.joblib"; else $(MLRQ) estimator; fi

$(O)/quantized.json: $(O)/float.json $(O)/quantize.args | $(READY)
	@$(MLRQ) quantize

$(O)/evaluation.json: $(O)/quantized.json $(O)/evaluate.args | $(READY)
	@$(MLRQ) evaluate

# The engine given, or the first that answers; nothing where none does. Asked only when a recipe needs it.
ENGINE = $(shell for engine in $(or $(CONTAINER_ENGINE),docker podman); do \
  $$engine info >/dev/null 2>&1 && echo $$engine && break; done)

docker: $(O)/image.id ## Build the image; CONTAINER_ENGINE=, PYTHON_IMAGE= choose

docker-reproduce: $(O)/quantized.json | $(READY) ## Build the image twice from nothing, compare files
	@"$(PY)" container/reproduce.py "$(ENGINE)"

docker-test: $(O)/image.id $(O)/evaluation.json | $(READY) ## Hold the image to the host's numbers
	@"$(PY)" container/check.py "$(ENGINE)" "$$OUT"

$(O)/image.id: Dockerfile .dockerignore container/build container/build.lock requirements-image.lock \
               $(SOURCES) $(O)/quantized.json $(O)/image.args
	@IMAGE_OPTIONAL=$(IMAGE_OPTIONAL) container/build "$(ENGINE)" "$$OUT/image.id"

# A stamp of a stage's overrides: it changes only when they do.
$(O)/%.args: FORCE | $(READY)
	@"$(PY)" -m mlrq.cli.make stamp $*

FORCE:

# ---- environment

# The kernel is compiled with mlrq, and again where its source has changed since.
$(READY): $(VENV)/.packages $(wildcard mlrq/kernel/*.[ch]) mlrq/kernel/build.py
	@"$(PY)" -m mlrq.kernel >/dev/null || true
	@touch $@

# Ready only when all of it is there: what was interrupted is made anew. Of two at once, the second waits.
$(VENV)/.packages: requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mlrq needs Python 3.11 or newer; name one with make PYTHON=python3.12" >&2; exit 1; }
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and would be emptied: remove it" >&2; exit 1; }
	@if command -v flock >/dev/null; then exec 9>>"$(VENV).lock"; flock -n 9 || \
	  { echo "Waiting for another make to set up $(VENV) ..."; flock 9; }; fi; \
	if [ -e $@ ] && [ -z "$$(find $^ -newer $@)" ]; then exit 0; fi; \
	echo "Setting up $(VENV) from requirements.lock (a minute or two, once) ..."; \
	$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "python3 -m venv failed: on Debian, apt install python3-venv" >&2; exit 1; }; \
	"$(PY)" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	"$(PY)" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	touch $@

lock: $(READY) ## Pin the newest versions of everything, by hash
	@$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --all-extras --group dev -o requirements.lock pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --constraints requirements.lock --group image -o requirements-image.lock
	@echo setuptools | $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate -o container/build.lock -

# ---- development

# On every core; tests of one group, such as those that start a dask cluster, follow each other on one of them.
PYTEST := $(VENV)/bin/pytest --numprocesses auto --maxprocesses 8 --dist loadgroup

# Of properties: new examples, or the same ones every time.
EXAMPLES ?= search

test: $(READY) ## Run the tests, but for the slowest
	@$(PYTEST)

test-all: $(READY) ## Run all tests, properties on new examples
	@$(PYTEST) -m "slow or not slow" --hypothesis-profile $(EXAMPLES)
	@$(MAKE) --no-print-directory prove

lint: $(READY) ## Check style, types, workflows and the Dockerfile
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(VENV)/bin/zizmor --quiet --offline --pedantic .github
	@$(VENV)/bin/hadolint Dockerfile

format: $(READY) ## Put the code in the project's style
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: $(READY) ## Measure start-up, integer prediction and the solvers
	@"$(PY)" benchmarks/startup.py
	@"$(PY)" benchmarks/integer_prediction.py
	@"$(PY)" benchmarks/solvers.py

clean: ## Remove the outputs and the environment
	@find "$$OUT" -mindepth 1 -maxdepth 1 ! -name .gitignore -exec rm -rf {} + 2>/dev/null || true
	@rm -rf $(VENV) $(VENV).lock dist mlrq/kernel/*.so .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# mlrq: every target that is a file is made only when what it is made from has changed.
# Overrides go in ARGS: make quantize ARGS="quantization.bits=4". `make help` lists the targets.

ARGS    ?=
PYTHON  ?= python3
OUT     ?= outputs
VENV    := .venv
PY      := $(VENV)/bin/python
READY   := $(VENV)/.ready
MLRQ    := $(PY) -m mlrq output_dir=$(OUT)

SOURCES := $(shell find mlrq conf -type f -not -name '*.pyc' -not -name '*.so')
# What a stage makes does not depend on the overrides of the stages after it.
$(if $(filter stage=%,$(ARGS)),$(error stage is what the target says: make train, make quantize, ...))
LATER         := predict.% export%
train_ARGS    := $(filter-out quantization% samples=% report=% $(LATER),$(ARGS))
quantize_ARGS := $(filter-out samples=% report=% $(LATER),$(ARGS))
evaluate_ARGS := $(filter-out model_path=% $(LATER),$(ARGS))
export_ARGS   := $(filter export%,$(ARGS))
# These take the model as it is: with no override of their own, what made it stays as it was recorded.
ifneq ($(filter predict export docker%,$(MAKECMDGOALS)),)
ifeq ($(strip $(quantize_ARGS)),)
train_ARGS    := $(shell cat $(OUT)/train.args 2>/dev/null)
quantize_ARGS := $(shell cat $(OUT)/quantize.args 2>/dev/null)
evaluate_ARGS := $(shell cat $(OUT)/evaluate.args 2>/dev/null)
endif
endif

.SUFFIXES:
.DEFAULT_GOAL := help

.PHONY: all train quantize evaluate predict export size parity toolchain sweep summary docker docker-test docker-reproduce test test-all lint format bench lock clean help

all: $(OUT)/evaluation.json $(OUT)/model.joblib ## Train, quantize, evaluate, and build the image where there is an engine
	@$(MAKE) --no-print-directory $(OUT)/image.id IMAGE_OPTIONAL=1

train: $(OUT)/float.json $(OUT)/model.joblib ## Fit the float model
quantize: $(OUT)/quantized.json ## Make the integer model; does not train again unless that changed
evaluate: $(OUT)/evaluation.json ## Compare float and integer on the test rows

predict: | $(READY) ## Predict rows: make predict ARGS="predict.input=rows.csv predict.output=out.csv"
	@$(MAKE) --no-print-directory $(OUT)/quantized.json ARGS='$(quantize_ARGS)' >&2
	@$(MLRQ) predict $(filter predict.% artifact=%,$(ARGS))

export: $(OUT)/quantized.json ## Write the model as C, ONNX or an estimator: make export ARGS="quantization.inputs=int8 export=c"
	@$(MLRQ) export $(export_ARGS)

# A folder of its own: the size is that of integer inputs, whatever the model in $(OUT) has.
size: $(READY) ## Bytes on a Cortex-M0 and a self-test on an emulated one, where the tools are installed
	@$(PY) -m mlrq output_dir=$(OUT)/size quantization.inputs=int8 $(quantize_ARGS) >/dev/null
	@$(PY) -m mlrq output_dir=$(OUT)/size export >/dev/null
	@$(PY) microcontroller/size.py $(OUT)/size/export $(if $(AT_MOST),--at-most $(AT_MOST))

parity: $(READY) ## Hold Python, compiled C and ONNX Runtime to the same integers
	@$(VENV)/bin/pytest tests/export

toolchain: ## Install the compilers and the emulator that `make size` and all tests use (Debian, Ubuntu)
	@if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends gcc g++ clang gcc-arm-none-eabi qemu-system-arm \
	  gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user >/dev/null

sweep: $(READY) ## Compare bit widths in one table; ARGS="model=ridge,lasso" sweeps that, ARGS=resume=last goes on
	@$(MLRQ) -m $(or $(ARGS),experiment=bit_widths)

summary: ## The table of the newest sweep as Markdown
	@cat "$$(ls -t $(OUT)/sweeps/*/sweep.md | head -n 1)"

# ---- files

$(OUT)/float.json: $(SOURCES) $(OUT)/train.args | $(READY)
	@$(MLRQ) train $(train_ARGS)

# Training leaves the estimator that scikit-learn fitted; where there was none to fit, it is made of the model.
$(OUT)/model.joblib: $(OUT)/float.json | $(READY)
	@if [ -e $@ ]; then touch $@; else $(MLRQ) export export=sklearn; fi

$(OUT)/quantized.json: $(OUT)/float.json $(OUT)/quantize.args | $(READY)
	@$(MLRQ) quantize $(quantize_ARGS)

$(OUT)/evaluation.json: $(OUT)/quantized.json $(OUT)/evaluate.args | $(READY)
	@$(MLRQ) evaluate $(evaluate_ARGS)

# The engine given, or the first that answers; nothing where none does. Asked only when a recipe needs it.
ENGINE = $(shell for engine in $(or $(CONTAINER_ENGINE),docker podman); do \
  $$engine info >/dev/null 2>&1 && echo $$engine && break; done)
image_ARGS := $(CONTAINER_ENGINE) $(PYTHON_IMAGE)

docker: $(OUT)/image.id ## Build the image mlrq; CONTAINER_ENGINE=docker|podman and PYTHON_IMAGE=... choose

docker-reproduce: $(OUT)/quantized.json | $(READY) ## Build the image twice from nothing and compare every file
	@$(PY) container/reproduce.py "$(ENGINE)"

docker-test: $(OUT)/image.id $(OUT)/evaluation.json | $(READY) ## Hold the image to the host's numbers, sealed off
	@$(PY) container/check.py "$(ENGINE)" $(OUT)

$(OUT)/image.id: Dockerfile .dockerignore container/build container/build.lock requirements-image.lock \
                 $(SOURCES) $(OUT)/quantized.json $(OUT)/image.args
	@IMAGE_OPTIONAL=$(IMAGE_OPTIONAL) container/build "$(ENGINE)" $@

# A stamp of a stage's overrides: it changes only when they do.
$(OUT)/%.args: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$($*_ARGS)' | cmp -s - $@ || printf '%s\n' '$($*_ARGS)' > $@

FORCE:

# ---- environment

# The kernel is compiled with mlrq, and again where its source has changed since.
$(READY): $(VENV)/.packages $(wildcard mlrq/kernel/*.[ch]) mlrq/kernel/build.py
	@$(PY) -m mlrq.kernel >/dev/null || true
	@touch $@

$(VENV)/.packages: requirements.lock pyproject.toml hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mlrq needs Python 3.11 or newer; name one with make PYTHON=python3.12" >&2; exit 1; }
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and would be emptied: remove it" >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (a minute or two, once) ..."
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "python3 -m venv failed: on Debian, apt install python3-venv" >&2; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: $(READY) ## Pin the newest versions of everything, by hash
	@$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --all-extras --group dev -o requirements.lock pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --constraints requirements.lock --group image -o requirements-image.lock
	@echo setuptools | $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate -o container/build.lock -

# ---- development

# On every core; tests of one group, such as those that start a dask cluster, follow each other on one of them.
PYTEST := $(VENV)/bin/pytest --numprocesses auto --dist loadgroup

test: $(READY) ## Run the tests, but for the slowest
	@$(PYTEST)

test-all: $(READY) ## Run all tests, and properties on examples that no run had before
	@$(PYTEST) -m "slow or not slow" --hypothesis-profile search

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
	@$(PY) benchmarks/startup.py
	@$(PY) benchmarks/integer_prediction.py
	@$(PY) benchmarks/solvers.py

clean: ## Remove the outputs and the environment
	@find "$(OUT)" -mindepth 1 -maxdepth 1 ! -name .gitignore -exec rm -rf {} + 2>/dev/null || true
	@rm -rf $(VENV) dist mlrq/kernel/*.so .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

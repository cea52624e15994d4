# Every target sets up .venv itself. Requirements: Python 3.11 or later and a C++ compiler.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
NO_PYTHON := Python 3.11 or later is needed; install it, or name it: make PYTHON=/path/to/python
BIN := .venv/bin
READY := .venv/ready
RUN := $(BIN)/basis-melgan
# Input of `make pipeline`: a recipe, its recordings unless it downloads them, a preset, and the output folder.
RECIPE ?= folder
SOURCE ?= $(if $(filter folder,$(RECIPE)),examples/clips)
PRESET ?= tiny
OUT ?= runs/$(RECIPE)-$(PRESET)
# Input of `make results`: prepared corpora of the training voices (SEEN) and of other voices (UNSEEN), and the run
# folders whose learning curves the report shows, as NAME=FOLDER,NAME=FOLDER.
SEEN ?= data
UNSEEN ?= unseen
RUNS ?=
SPEECH := speech-24k speech-24k-small speech-24k-live
# Scored by all metrics, which takes hours; all systems are scored by the quick ones.
ALL_METRICS := pretrained/speech-24k.safetensors pretrained/speech-24k-small.safetensors
SYSTEMS := $(ALL_METRICS) pretrained/speech-24k-live.safetensors pretrained/paper-24k.safetensors \
	griffin-lim:vocos griffin-lim world recording

# Vocoders that `make bench` also measures in float32.
FLOAT32 := speech-24k speech-24k-small paper-24k
PEERS := vocos hifigan-v1 hifigan-v2 mb-melgan
# Writes a document from its .in.md, replacing each `include FILE` line by the file.
included = awk '$$1 == "include" { while ((getline line < $$2) > 0) print line; next } { print }' $(1).in.md > $(1).md

.PHONY: help test test-isa test-extras lint fuzz demo pipeline docs results bench

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	$(BIN)/pip install --quiet --no-deps $$($(BIN)/python -c "from basis_melgan.metrics.packages import PACKAGES_WITHOUT_DEPENDENCIES as P; print(*P)")
	! command -v npm > /dev/null || npm install --silent --prefix .venv/node onnxruntime-web
	touch $(READY)

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint ## check style and types, then run all tests; SKIPS=fail makes a skipped test an error
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 $(if $(SKIPS),--skips $(SKIPS))

test-isa: $(READY) ## run the numerical tests under every instruction set, on one and two threads (1 hour)
	$(BIN)/python tests/instruction_sets.py

test-extras: ## install each extra into a clean environment and run its commands there
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	$(PYTHON) tests/environments.py

fuzz: $(READY) ## run 35 000 damaged models, mels, recordings and command lines (5 minutes)
	FUZZ_CASES=500 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests/test_fuzz.py tests/cli/test_cli_fuzz.py \
		tests/audio/test_sound_fuzz.py tests/inference/test_mel_scale_fuzz.py

demo: ## install the runtime into demo/venv and synthesize two mels (under a minute)
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	rm -rf demo
	$(PYTHON) -m venv demo/venv
	demo/venv/bin/pip install --quiet . pillow
	demo/venv/bin/python examples/demo.py demo

pipeline: $(READY) ## prepare, train, evaluate and export at tiny size on the bundled clips (6 minutes)
	$(RUN) prepare $(RECIPE) $(OUT)/corpus $(if $(SOURCE),--source $(SOURCE)) --config $(PRESET)
	$(RUN) train-separator $(OUT)/corpus $(OUT)/separator --config $(PRESET)
	$(RUN) analyze $(OUT)/separator/separator.safetensors $(OUT)/corpus $(OUT)/analysis --force
	$(RUN) train-vocoder $(OUT)/corpus $(OUT)/vocoder --separator $(OUT)/separator/separator.safetensors --config $(PRESET)
	$(RUN) evaluate $(OUT)/vocoder/vocoder.safetensors $(OUT)/corpus --json $(OUT)/results.json --waves $(OUT)/waves
	$(RUN) export $(OUT)/vocoder/vocoder.safetensors $(OUT)/vocoder.onnx --force

docs: $(READY) ## build the documentation into site/; browse it with .venv/bin/mkdocs serve
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

results: $(READY) ## evaluate pretrained/ on the corpora in SEEN and UNSEEN; writes docs/results.md and results/report.html
	$(RUN) compare $(ALL_METRICS) --corpus $(SEEN) --out results/seen --force
	$(RUN) compare $(SYSTEMS) --corpus $(SEEN) --out results/quick-seen --quick --force
	$(RUN) compare $(SYSTEMS) --corpus $(UNSEEN) --out results/quick-unseen --quick --force
	$(RUN) compare pretrained/paper-24k.safetensors griffin-lim:4 griffin-lim world --corpus $(SEEN) --out results/bar --quick --force
	$(RUN) analyze pretrained/separator-24k.safetensors $(SEEN) results/separator --count 80 --basis --force
	$(RUN) complexity > results/complexity.md
	$(RUN) report results/quick-seen results/report.html --separator pretrained/separator-24k.safetensors \
		$(if $(RUNS),--runs $(RUNS)) --force
	$(call included,docs/results)

bench: $(READY) ## time pretrained/ and peers in ONNX Runtime on an idle machine; writes docs/benchmarks.md
	$(BIN)/pip install --quiet wheel pytest-runner h5py kaldiio
	$(BIN)/pip install --quiet --no-deps --no-build-isolation vocos parallel_wavegan
	$(BIN)/python benchmarks/export_peers.py results/peers $(PEERS)
	for name in $(FLOAT32); do \
		$(RUN) export pretrained/$$name.safetensors results/float32/$$name.onnx --force || exit 1; done
	$(RUN) bench $(SPEECH) $(FLOAT32:%=results/float32/%.onnx) \
		$(foreach peer,$(PEERS),results/peers/$(peer).onnx results/peers/$(peer)-int8.onnx) \
		--json results/bench.json > results/bench.md
	$(call included,docs/benchmarks)

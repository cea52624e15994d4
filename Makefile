# Every target sets up .venv itself; Python 3.11 or later and a C++ compiler are all that must be there.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
NO_PYTHON := Python 3.11 or later is needed; install it, or name it: make PYTHON=/path/to/python
BIN := .venv/bin
READY := .venv/ready
RUN := $(BIN)/basis-melgan
# What the pipeline is run on: a recipe, its recordings where it does not fetch them, a preset, a folder.
RECIPE ?= folder
SOURCE ?= $(if $(filter folder,$(RECIPE)),examples/clips)
PRESET ?= tiny
OUT ?= runs/$(RECIPE)-$(PRESET)
# Prepared corpora of the voices that the released models know, and of voices that they do not.
SEEN ?= data
UNSEEN ?= unseen
SPEECH := speech-24k speech-24k-small speech-24k-live
# Logs of the trainings behind pretrained/, thinned.
RUNS := $(shell echo $(foreach name,$(SPEECH) paper-24k,$(name)=docs/runs/$(name)) | tr ' ' ',')
# Measured by everything, which takes the longer; and all that is measured by what is quick.
WHOLLY := pretrained/speech-24k.safetensors pretrained/speech-24k-small.safetensors
SYSTEMS := $(WHOLLY) pretrained/speech-24k-live.safetensors pretrained/paper-24k.safetensors \
	griffin-lim:vocos griffin-lim world recording

# Vocoders that `make bench` measures in floating point too.
FLOATING := speech-24k speech-24k-small paper-24k
PEERS := vocos hifigan-v1 hifigan-v2 mb-melgan
# A document from its .in.md, with the files that it includes.
included = awk '$$1 == "include" { while ((getline line < $$2) > 0) print line; next } { print }' $(1).in.md > $(1).md

.PHONY: help test test-isa test-extras lint fuzz demo pipeline results bench

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable ".[dev]"
	$(BIN)/pip install --quiet --no-deps $$($(BIN)/python -c "from basis_melgan.metrics.packages import ALONE; print(*ALONE)")
	! command -v npm > /dev/null || npm install --silent --prefix .venv/node onnxruntime-web
	touch $(READY)

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint ## check style and types, then run all tests; SKIPS=fail: with none left out
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 $(if $(SKIPS),--skips $(SKIPS))

test-isa: $(READY) ## run the numerical tests under every instruction set, on one thread and on two; an hour
	$(BIN)/python tests/instruction_sets.py

test-extras: ## install each extra into an environment of its own, and run its commands there
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	$(PYTHON) tests/environments.py

fuzz: $(READY) ## damage models, mels and recordings, change the scale of mels and draw command lines, in 35 000 ways; five minutes
	FUZZ_CASES=500 OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests/test_fuzz.py tests/cli/test_cli_fuzz.py \
		tests/audio/test_sound_fuzz.py tests/inference/test_mel_scale_fuzz.py

demo: ## install what speaking needs into demo/venv alone, and speak a recording and a predicted mel; under a minute
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)"; exit 1; }
	rm -rf demo
	$(PYTHON) -m venv demo/venv
	demo/venv/bin/pip install --quiet . pillow
	demo/venv/bin/python examples/demo.py demo

pipeline: $(READY) ## both stages, on the bundled clips at tiny size to words that can be understood in 6 minutes; RECIPE=festvox-ru PRESET=cpu: hours
	$(RUN) prepare $(RECIPE) $(OUT)/corpus $(if $(SOURCE),--source $(SOURCE)) --config $(PRESET)
	$(RUN) train-separator $(OUT)/corpus $(OUT)/separator --config $(PRESET)
	$(RUN) analyze $(OUT)/separator/separator.safetensors $(OUT)/corpus $(OUT)/analysis --force
	$(RUN) train-vocoder $(OUT)/corpus $(OUT)/vocoder --separator $(OUT)/separator/separator.safetensors --config $(PRESET)
	$(RUN) evaluate $(OUT)/vocoder/vocoder.safetensors $(OUT)/corpus --json $(OUT)/results.json --waves $(OUT)/spoken
	$(RUN) export $(OUT)/vocoder/vocoder.safetensors $(OUT)/vocoder.onnx --force

results: $(READY) ## measure what in pretrained/ has changed on the corpora in SEEN and UNSEEN; writes docs/results.md and docs/report.html
	$(RUN) compare $(WHOLLY) --corpus $(SEEN) --out results/seen --force
	$(RUN) compare $(SYSTEMS) --corpus $(SEEN) --out results/quick-seen --quick --force
	$(RUN) compare $(SYSTEMS) --corpus $(UNSEEN) --out results/quick-unseen --quick --force
	$(RUN) compare pretrained/paper-24k.safetensors griffin-lim:4 griffin-lim world --corpus $(SEEN) --out results/bar --quick --force
	$(RUN) analyze pretrained/separator-24k.safetensors $(SEEN) results/separator --count 80 --basis --force
	$(RUN) complexity > results/complexity.md
	$(RUN) report results/quick-seen docs/report.html --separator pretrained/separator-24k.safetensors --runs $(RUNS) --force
	$(call included,docs/results)

bench: $(READY) ## measure how fast pretrained/ and peers are in ONNX Runtime; writes docs/benchmarks.md; let nothing else run
	$(BIN)/pip install --quiet wheel pytest-runner h5py kaldiio
	$(BIN)/pip install --quiet --no-deps --no-build-isolation vocos parallel_wavegan
	$(BIN)/python benchmarks/export_peers.py results/peers $(PEERS)
	for name in $(FLOATING); do \
		$(RUN) export pretrained/$$name.safetensors results/float32/$$name.onnx --force || exit 1; done
	$(RUN) bench $(SPEECH) $(FLOATING:%=results/float32/%.onnx) \
		$(foreach peer,$(PEERS),results/peers/$(peer).onnx results/peers/$(peer)-int8.onnx) \
		--json results/bench.json > results/bench.md
	$(call included,docs/benchmarks)

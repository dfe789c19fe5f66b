# make demo    the whole road on embedded photographs, in a few minutes
# make test    every fast test          make test-slow    those that take minutes
# make results measures the shipped networks on BENCHMARKS/Set5 and BENCHMARKS/Set14, clean and degraded, and writes the tables and cards
# make ledger  trains compact_s alone and with each transfer on PHOTOGRAPHS and OTHERS and compares them, three seeds each (three hours on one core)
# make ledger-perceptual  the same for the transfers with a GAN in them, after `make ledger`, with VGG19's weights in VGG (an hour for each of SEEDS)
# make ledger-published  the study's five methods at its settings (UPDATES each, SEEDS)
# make check   what has to pass: ruff, then the tests
# make web     the shipped students in your browser, on localhost (MODELS=FOLDER for others, PORT=NUMBER); needs npm

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo
MODELS ?= weights
PORT ?= 8000

BENCHMARKS ?= benchmarks
LPIPS ?= $(BENCHMARKS)/lpips_squeeze_v0.1.npz
RESULTS := docs/results

PHOTOGRAPHS ?= photographs
OTHERS ?= others
VGG ?= $(BENCHMARKS)/vgg19.h5
TEACHER ?= edsr_8x64
UPDATES ?= 3000
SEEDS ?= 0
LAYER ?= block5_conv4
MEASURED := --data_root=$(BENCHMARKS) --lpips_weights=$(LPIPS)
LEDGER := --hr_dir=$(PHOTOGRAPHS) --valid_dir=$(OTHERS) --teacher=$(TEACHER) $(MEASURED)

.PHONY: demo test test-slow check format results ledger ledger-perceptual ledger-published web clean

demo: $(VENV)/.requirements
	@echo "The demo downloads nothing but packages: its content loss is pixel-based (--content_loss=pixel), where real training uses VGG19."
	rm -rf $(DEMO)
	$(BIN)/python train_teacher.py --flagfile=recipes/demo_teacher.txt
	$(BIN)/python distill.py --flagfile=recipes/demo_student.txt
	$(BIN)/python export_tflite.py --student=$(DEMO)/student
	$(BIN)/python evaluate.py --flagfile=recipes/demo_evaluate.txt
	@echo "Now try it on a picture of yours: $(BIN)/python upscale.py PICTURE --model=$(DEMO)/student"

# The longest files first: by itself xdist begins with those of many tests.
test: $(VENV)/.requirements-test
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder tests/test_road.py tests/test_evaluate.py tests/test_shipped.py tests/web tests

test-slow: $(VENV)/.requirements-test
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.requirements-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) test

results: $(VENV)/.requirements
	$(BIN)/python evaluate.py --flagfile=tools/results.txt $(MEASURED) --output=$(RESULTS)
	$(BIN)/python evaluate.py --flagfile=tools/pictures.txt --data_root=$(BENCHMARKS) --output=$(RESULTS)/pictures
	$(BIN)/python evaluate.py --flagfile=tools/degraded.txt $(MEASURED) --output=$(RESULTS)/degraded
	$(BIN)/python -m tools.results

ledger: $(VENV)/.requirements
	$(BIN)/python -m tools.ledger $(LEDGER) --results=$(RESULTS)
	$(BIN)/python -m tools.results

ledger-perceptual: $(VENV)/.requirements
	$(BIN)/python -m tools.ledger --perceptual $(LEDGER) --seeds=$(SEEDS) --vgg_weights=$(VGG) --results=$(RESULTS)
	$(BIN)/python -m tools.results

ledger-published: $(VENV)/.requirements
	$(BIN)/python -m tools.ledger --published $(LEDGER) --seeds=$(SEEDS) --vgg_weights=$(VGG) --perceptual_layer=$(LAYER) --updates=$(UPDATES) --results=$(RESULTS)
	$(BIN)/python -m tools.results

format: $(VENV)/.requirements-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

web: $(VENV)/.requirements web/node_modules/.package-lock.json
	$(BIN)/python -m web.build --models=$(MODELS) --output=build/web
	@echo "Open http://localhost:$(PORT)/ and stop the server with Ctrl+C."
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory build/web

web/node_modules/.package-lock.json: web/package-lock.json
	npm ci --prefix web --no-audit --no-fund
	touch $@

$(VENV)/.requirements: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/.requirements-test: requirements-test.txt $(VENV)/.requirements
	$(BIN)/python -m pip install --quiet --requirement requirements-test.txt
	touch $@

clean:
	rm -rf $(VENV) build web/node_modules

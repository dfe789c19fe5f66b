# make demo    the whole road on embedded photographs, in a few minutes
# make test    every fast test          make test-slow    those that take minutes
# make results measures the shipped networks on BENCHMARKS/Set5 and BENCHMARKS/Set14 and writes the tables and cards
# make check   what has to pass: ruff, then the tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

BENCHMARKS ?= benchmarks
LPIPS ?= $(BENCHMARKS)/lpips_squeeze_v0.1.npz
RESULTS := docs/results

.PHONY: demo test test-slow check format results clean

demo: $(VENV)/.requirements
	@echo "The demo downloads nothing but packages: its content loss is pixel-based (--content_loss=pixel), where real training uses VGG19."
	rm -rf $(DEMO)
	$(BIN)/python train_teacher.py --flagfile=recipes/demo_teacher.txt
	$(BIN)/python distill.py --flagfile=recipes/demo_student.txt
	$(BIN)/python export_tflite.py --student=$(DEMO)/student
	$(BIN)/python evaluate.py --flagfile=recipes/demo_evaluate.txt
	@echo "Now try it on a picture of yours: $(BIN)/python upscale.py PICTURE --model=$(DEMO)/student"

test: $(VENV)/.requirements-test
	$(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile

test-slow: $(VENV)/.requirements-test
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.requirements-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) test

results: $(VENV)/.requirements
	$(BIN)/python evaluate.py --flagfile=release/results.txt --data_root=$(BENCHMARKS) --lpips_weights=$(LPIPS) --output=$(RESULTS)
	$(BIN)/python evaluate.py --flagfile=release/pictures.txt --data_root=$(BENCHMARKS) --output=$(RESULTS)/pictures
	$(BIN)/python -m release.results

format: $(VENV)/.requirements-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.requirements: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/.requirements-test: requirements-test.txt $(VENV)/.requirements
	$(BIN)/python -m pip install --quiet --requirement requirements-test.txt
	touch $@

clean:
	rm -rf $(VENV) build

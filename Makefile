# make demo    the whole road on embedded photographs, in a few minutes
# make test    every fast test          make test-slow    those that take minutes
# make results measures the shipped networks on BENCHMARKS/Set5 and BENCHMARKS/Set14 and writes the tables and cards
# make ledger  trains compact_s alone and with each transfer on PHOTOGRAPHS and OTHERS and compares them, three seeds each (three hours on one core)
# make ledger-perceptual  the same for the transfers with a GAN in them, one seed, after `make ledger`, with VGG19's weights in VGG (an hour)
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
LEDGER := runs/ledger
PICTURES := --hr_dir=$(PHOTOGRAPHS) --valid_dir=$(OTHERS)
LEDGER_FLAGS := --flagfile=release/ledger.txt $(PICTURES)
PERCEPTUAL_FLAGS := --flagfile=release/ledger_perceptual.txt --init=$(LEDGER)/alone_0 --vgg_weights=$(VGG) $(PICTURES)
MEASURED := --data_root=$(BENCHMARKS) --lpips_weights=$(LPIPS)

.PHONY: demo test test-slow check format results ledger ledger-perceptual web clean

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

ledger: $(VENV)/.requirements
	set -e; for seed in 0 1 2; do \
	  $(BIN)/python train_student.py $(LEDGER_FLAGS) --seed=$$seed --run_dir=$(LEDGER)/alone_$$seed; \
	  $(BIN)/python distill.py --method=g2g --teacher=$(TEACHER) $(LEDGER_FLAGS) --seed=$$seed --run_dir=$(LEDGER)/g2g_$$seed; \
	  $(BIN)/python distill.py --method=g2g --cache_teacher --self_ensemble --teacher=$(TEACHER) $(LEDGER_FLAGS) --seed=$$seed --run_dir=$(LEDGER)/cached_$$seed; \
	  $(BIN)/python distill.py --method=g2g_fa --teacher=$(TEACHER) $(LEDGER_FLAGS) --seed=$$seed --run_dir=$(LEDGER)/g2g_fa_$$seed; \
	done
	$(BIN)/python evaluate.py --ledger $(LEDGER)/*_[0-2] --benchmarks=Set5,Set14,validation:$(OTHERS) $(MEASURED) --teacher=$(TEACHER) --output=$(RESULTS)/ledger
	$(BIN)/python -m release.results

# All methods update the student 900 times, from the same start. Alone, the adversarial phase needs a pixel phase before it: one update.
ledger-perceptual: $(VENV)/.requirements
	$(BIN)/python train_student.py $(PERCEPTUAL_FLAGS) --steps=1 --adversarial_steps=899 --run_dir=$(LEDGER)/perceptual/alone
	$(BIN)/python distill.py --method=gan2g --teacher=$(TEACHER) $(PERCEPTUAL_FLAGS) --kd_weight=20 --steps=900 --run_dir=$(LEDGER)/perceptual/gan2g
	$(BIN)/python distill.py --method=g2g_al --teacher=$(TEACHER) $(PERCEPTUAL_FLAGS) --kd_weight=20 --steps=200 --adversarial_steps=700 --run_dir=$(LEDGER)/perceptual/g2g_al
	$(BIN)/python distill.py --method=g2g_al --al=jointly --teacher=$(TEACHER) $(PERCEPTUAL_FLAGS) --kd_weight=20 --steps=900 --run_dir=$(LEDGER)/perceptual/jointly
	$(BIN)/python distill.py --method=gan2gan --teacher=$(TEACHER) $(PERCEPTUAL_FLAGS) --kd_weight=20 --steps=200 --adversarial_steps=700 --run_dir=$(LEDGER)/perceptual/gan2gan
	$(BIN)/python evaluate.py --ledger $(LEDGER)/perceptual/* --benchmarks=Set5,Set14 $(MEASURED) --output=$(RESULTS)/ledger-perceptual
	$(BIN)/python -m release.results

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

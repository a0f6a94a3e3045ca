# Everything sets itself up in .venv: `make demo` and `make test` are all that a newcomer needs.

PYTHON ?= python3
BIN := .venv/bin
DEMO := out/turtle
PORTRAIT := $$($(BIN)/python -c 'import skimage; print(skimage.data_dir + "/astronaut.png")')

.PHONY: demo test lint docs clean

# Seconds when nothing changed: the stamp is newer than what it was made from.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs,lint,test]'
	touch $@

demo: .venv/installed
	@echo "Look for one turtle from afar and 1,600 from near: $(DEMO)/index.html, then press F;" \
		"the film $(DEMO).webp falls into it, and out/portrait/index.html is an astronaut made of cats."
	$(BIN)/digress mosaic "photo of a turtle" --seed 47 --grid 40 -o $(DEMO)
	$(BIN)/digress zoom "photo of a turtle" --seed 47 --grid 40 --frame-size 320 --seconds 8 --fps 20 -o $(DEMO).webp
	$(BIN)/digress mosaic "photo of a cat" --image "$(PORTRAIT)" --seed 1 --grid 40 --reuse 200 -o out/portrait

# One thread each for two processes: the networks of the tests are too small to share.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in site/: pages, and a reference from the docstrings.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv out site

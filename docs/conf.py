"""How Sphinx builds these pages: ``python -m sphinx -W --keep-going docs docs/_build``.

Nothing is fetched: there is no intersphinx, and furo brings its own style sheets.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pages

import gc_ref

project = "gc-ref"
author = "The gc-ref developers"
version = release = gc_ref.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "pages"]
# The list of the deviations is shown by deviations.md.
exclude_patterns = ["_build", "Thumbs.db", ".DS_Store", "deviations/index.md"]

html_theme = "furo"
html_title = f"gc-ref {version}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_extra_path = [f"../{name}" for name in pages.COPIED if (pages.ROOT / name).is_file()]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 3

# Single backticks in docstrings name a function or class where there is one.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it, in numpydoc's words
numpydoc_show_class_members = False

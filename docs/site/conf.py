# SPDX-License-Identifier: GPL-3.0-or-later
"""How `make docs` makes the site: by Sphinx, from the repository's root, so that the links in a page stay."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from pygments.lexers.special import TextLexer  # noqa: E402

import mecg  # noqa: E402

project = "mECG streamer"
author = copyright = "The mECG streamer developers"
release = version = mecg.__version__
REPOSITORY = "https://github.com/mecg-streamer/mecg-streamer"

root_doc = "docs/index"
source_suffix = {".md": "markdown", ".ipynb": "notebook"}
include_patterns = [
    "docs/*.md",
    "examples/*.ipynb",
    "streamer/models/MODEL_CARD.md",
    "training/README.md",
    "recordings/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [".*", "out", "build", "dist", "tests", "**/__pycache__"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinxarg.ext", "notebook"]
myst_heading_anchors = 4
myst_ref_domains = ["std", "py"]
myst_enable_extensions = ["colon_fence", "deflist"]
highlight_language = "text"
suppress_warnings = ["myst.header"]  # a page may begin below its first level

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
default_role = "py:obj"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "mECG streamer"
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["index.html"]  # leads to the first page


def _lead_out(app, name, source):
    """Let links to what is no page (a folder, a file that is not in the site) lead to the repository."""
    page = Path(app.env.doc2path(name))

    def resolved(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        if (
            target.suffix in (".png", ".svg")
            or not target.exists()
            or app.env.path2doc(str(target)) in app.env.found_docs
        ):
            return link[0]
        path = target.relative_to(ROOT).as_posix()
        return f"]({REPOSITORY}/{'tree' if target.is_dir() else 'blob'}/main/{path})"

    source[0] = re.sub(r"\]\(((?!https?:|mailto:|data:)[^)#\s]+)\)", resolved, source[0])


def setup(app):
    """What Sphinx calls."""
    app.connect("source-read", _lead_out)
    app.add_lexer(
        "mermaid", TextLexer
    )  # drawn on GitHub; the program that draws it would be a foreign script

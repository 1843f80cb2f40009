# SPDX-License-Identifier: GPL-3.0-or-later
"""Of the documents: links resolve, named files exist, lines are short, words are plain."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "training", "recordings", "mecg/recordings", "streamer/models", "LICENSES")
    for path in (ROOT / folder).glob("*.md")
)
IDIOMS = (
    "anew",
    "whoever",
    "by heart",
    "turned heart",
    "hold-back",
    "bent end",
    "teachers that",
)
"""What is not plain English, or was replaced by the field's term (the glossary has the words)."""
FILE = re.compile(r"(?:[\w.-]+/)+(?:[\w.-]+\.(?:py|md|toml|yml|onnx|txt|png|csv))?")
TOP = {"streamer", "devices", "gui", "ward", "mecg", "training"} | {
    "tests",
    "benchmarks",
    "docs",
    "examples",
    "recordings",
}
MADE = ("training/runs", "training/cache")
"""What a run makes, so it is not in a checkout."""

PATTERNS = ("tests/a/test_b.py", "mecg/cli/NAME.py")
"""Names that stand for many."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line outside of code blocks."""
    in_code = False
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, line


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    found: set[str] = set()
    for _, line in prose(document):
        if heading := re.match(r"#+ (.*)", line):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


@each_document
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    text = "\n".join(line for _, line in prose(document))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert not broken


@each_document
def test_every_file_and_folder_named_in_backticks_exists(document: Path) -> None:
    text = "\n".join(line for _, line in prose(document))
    named = [span for span in re.findall(r"`([^`]+)`", text) if FILE.fullmatch(span) and span not in PATTERNS]
    named = [span for span in named if span.split("/")[0] in TOP and not span.startswith(MADE)]
    assert [span for span in named if not (ROOT / span).exists()] == []


@each_document
def test_every_module_run_by_name_exists(document: Path) -> None:
    for module in re.findall(r"python -m ((?:training|benchmarks|mecg)[\w.]*)", document.read_text("utf-8")):
        path = ROOT / module.rstrip(".").replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@each_document
def test_lines_are_at_most_120_characters(document: Path) -> None:
    unbreakable = ("|", "![", "- [", "  - [")  # a row of a table, a picture, an entry of a table of contents
    long = [n for n, line in prose(document) if len(line) > 120 and not line.startswith(unbreakable)]
    assert not long


@each_document
def test_words_are_plain(document: Path) -> None:
    if document.name == "glossary.md":  # it lists the words that are not used
        return
    # A word in quotes is talked about, not used.
    text = re.sub(r'"[^"]*"', "", "\n".join(line for _, line in prose(document)).lower())
    assert [idiom for idiom in IDIOMS if re.search(rf"\b{idiom}", text)] == []


def test_comments_docstrings_and_what_is_said_are_plain_too() -> None:
    found = []
    tops = ("streamer", "devices", "gui", "ward", "mecg", "training", "benchmarks", "examples")
    for path in (path for top in tops for path in (ROOT / top).rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
            if token.type not in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):  # so f-strings of any version
                found += [
                    (path.name, token.start[0], idiom)
                    for idiom in IDIOMS
                    if re.search(rf"(?:^|[\s\"'(]){idiom}", token.string.lower())
                ]
    assert not found


@pytest.mark.parametrize("name", ["Makefile", *sorted(p.name for p in (ROOT / "ward" / "page").iterdir())])
def test_what_other_files_say_is_plain_too(name: str) -> None:
    path = ROOT / name if name == "Makefile" else ROOT / "ward" / "page" / name
    if path.suffix in ("", ".html", ".js"):
        text = path.read_text("utf-8").lower()
        assert [idiom for idiom in IDIOMS if re.search(rf"\b{idiom}", text)] == []


@each_document
def test_examples_in_documents_are_plain_too(document: Path) -> None:
    if document.name not in ("glossary.md", "CONTRIBUTING.md"):  # these list the words that are not used
        outside = {number for number, _ in prose(document)}
        lines = document.read_text("utf-8").lower().splitlines()
        inside = [line for number, line in enumerate(lines, 1) if number not in outside]
        assert [idiom for idiom in IDIOMS if re.search(rf"\b{idiom}", "\n".join(inside))] == []


# ---- standards that are sold, and that nobody here could look into

CLAUSES_TABLE = re.compile(r"^\| *clause *\|", re.MULTILINE)
CLAUSE_IN_PROSE = re.compile(r"\b(?:IEC|ISO) [\d-]+[^.|\n]*,? (?:clause |§ ?)\d")
FROM_MEMORY = re.compile(r"cited from memory,\s+check them\s+against the standard")


def unmarked_clauses(text: str) -> list[str]:
    """The second-level sections that cite clauses and do not say that the numbers are from memory."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return [
        section.partition("\n")[0]
        for section in sections
        if (CLAUSES_TABLE.search(section) or CLAUSE_IN_PROSE.search(section))
        and not FROM_MEMORY.search(section)
    ]


@each_document
def test_numbers_of_clauses_are_marked_as_from_memory(document: Path) -> None:
    assert unmarked_clauses(document.read_text("utf-8")) == []


def test_a_clause_without_that_mark_is_found() -> None:
    mark = "Numbers are cited from memory, check them\nagainst the standard."
    table = "## Habits\n\n| clause | subject |\n|---|---|\n| 6.1 | x |\n"
    prose_of_one = "## Alarms\nAs IEC 60601-1-8, clause 6.3 has it.\n"
    assert unmarked_clauses(table) == ["## Habits"]
    assert unmarked_clauses(prose_of_one) == ["## Alarms"]
    assert unmarked_clauses(f"{table}{mark}\n") == unmarked_clauses(f"{prose_of_one}{mark}\n") == []
    assert unmarked_clauses(f"{mark}\n{table}") == ["## Habits"], "a mark elsewhere is not seen by the reader"
    assert unmarked_clauses("## Power\nIEC 60601-2-25 has amplifiers bear as much.\n") == []


def test_the_clauses_that_the_documents_cite_are_found() -> None:
    cited = [document.name for document in DOCUMENTS if CLAUSES_TABLE.search(document.read_text("utf-8"))]
    assert {"risks.md", "vitals.md"} <= set(cited)

"""The house: every module imports from below, and decides on fields, never on what people read."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / "gc_ref" / "_conformance"
PORT_KINDS = {"operator", "torch", "keras", "optax", "numpy", "exec"}
#: Fields and variables that hold sentences.
PROSE = {"message", "notes", "words", "diagnosis", "replay"}
PARTS_OF_TEXT = {"startswith", "endswith", "partition", "rpartition", "find", "index", "split"}


def contract(name):
    """A contract of pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (found,) = [c for c in settings["tool"]["importlinter"]["contracts"] if c["name"] == name]
    return found


def modules(folder):
    """Module, as a path from the root, to its syntax tree."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }


def test_the_contract_on_imports_is_kept():
    command = "from importlinter.cli import lint_imports_command as run; run()"
    words = ["--no-cache", "--no-logo"]
    ran = subprocess.run(
        [sys.executable, "-c", command, *words], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 broken" in ran.stdout


# ---- the house, drawn from the imports without the linter


def rooms():
    """The rooms in the order of the contract, bottom first."""
    return contract("The rooms of the kit, top to bottom")["layers"][::-1]


def imported(tree):
    """Names of the modules that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module):
    """Room of a dotted name; empty for what is in none."""
    head, _, rest = module.partition("gc_ref._conformance.")
    return rest.partition(".")[0] if not head else ""


def test_every_folder_is_a_room_of_the_contract():
    there = {p.name for p in ROOMS.iterdir() if (p / "__init__.py").exists()}
    assert there == set(rooms())


def test_every_door_leads_downward():
    order = rooms()
    house = {room: set() for room in order}
    for path, tree in modules(ROOMS).items():
        room = Path(path).parts[2]
        if room in house:
            house[room] |= {room_of(name) for name in imported(tree)} & set(order) - {room}
    upward = {
        (room, other)
        for room, others in house.items()
        for other in others
        if order.index(other) >= order.index(room)
    }
    assert not upward
    assert house["cli"] > {"running", "reports"}, "doors are seen at all"
    assert not house[order[0]]


def test_the_rooms_are_described_by_their_own_words():
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    described = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    own = {
        room: ast.get_docstring(ast.parse((ROOMS / room / "__init__.py").read_text("utf-8")))
        for room in rooms()
    }
    assert described == list(own.items())


# ---- patterns that must not come back


def type_checking(tree):
    """Lines that import for the type checker alone: such an import may hide a circle."""
    for node in ast.walk(tree):
        if getattr(node, "id", getattr(node, "attr", "")) == "TYPE_CHECKING":
            yield node.lineno


def late_imports(tree):
    """Lines of functions that import a module of this package, by statement or by name."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.lineno for node in ast.walk(function) if _imports_this_package(node))


def _imports_this_package(node):
    if isinstance(node, ast.Import | ast.ImportFrom):
        relative = getattr(node, "level", 0) > 0
        return relative or any(name.split(".")[0] == "gc_ref" for name in imported(node))
    if isinstance(node, ast.Call):
        by_name = "import_module" in ast.unparse(node.func)
        return by_name and any("gc_ref" in ast.unparse(argument) for argument in node.args)
    return False


def identities(tree):
    """Lines that call id(): an address is no name, another object may get it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "id":
            yield node.lineno


def _is_prose(node):
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return key in PROSE if isinstance(key, str) else _is_prose(node.value)
    if isinstance(node, ast.Name):  # a list of the words of a command line is no prose
        return node.id in PROSE - {"words"}
    return isinstance(node, ast.Attribute) and node.attr in PROSE


def decisions_on_prose(tree):
    """Lines that look something up in a sentence, or compare one."""
    for node in ast.walk(tree):
        texts = []
        if isinstance(node, ast.Compare):
            if any(isinstance(op, ast.In | ast.NotIn | ast.Eq | ast.NotEq) for op in node.ops):
                texts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [node.func.value] if node.func.attr in PARTS_OF_TEXT else []
        if any(map(_is_prose, texts)):
            yield node.lineno


def kinds_of_port(tree):
    """Lines that compare the kind of a port with one kind or some."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            words = {n.value for s in sides for n in ast.walk(s) if isinstance(n, ast.Constant)}
            if any(map(_is_kind, sides)) and words & PORT_KINDS:
                yield node.lineno


def _is_kind(node):
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == "kind"
    return isinstance(node, ast.Attribute) and node.attr == "kind"


#: Search, the folder it is made in, and paths (or their beginnings) where the pattern is meant.
SEARCHES = [
    (type_checking, ROOT / "gc_ref", ()),
    (
        late_imports,
        ROOT / "gc_ref",
        # The command forks before it loads NumPy, then loads what a subcommand needs; fuzzing
        # loads Hypothesis, an optional extra.
        (
            "gc_ref/_conformance/cli/guarded.py",
            "gc_ref/_conformance/cli/main.py",
            "gc_ref/_conformance/checks/value.py",
        ),
    ),
    (identities, ROOMS, ()),
    (decisions_on_prose, ROOMS, ()),
    (kinds_of_port, ROOMS, ("gc_ref/_conformance/adapters/",)),
]


@pytest.mark.parametrize(
    ("search", "folder", "meant"), SEARCHES, ids=[s[0].__name__ for s in SEARCHES]
)
def test_the_pattern_is_nowhere(search, folder, meant):
    found = [
        f"{path}:{line}"
        for path, tree in modules(folder).items()
        if not path.startswith(tuple(meant))
        for line in sorted(set(search(tree)))
    ]
    assert not found, search.__doc__


@pytest.mark.parametrize(
    ("search", "planted"),
    [
        (type_checking, "if TYPE_CHECKING:\n    from gc_ref import laws"),
        (type_checking, "if typing.TYPE_CHECKING:\n    import gc_ref"),
        (late_imports, "def f():\n    from gc_ref._conformance.judging import judge"),
        (late_imports, "def f():\n    from gc_ref import laws"),
        (late_imports, "def f():\n    import gc_ref.laws"),
        (late_imports, "def f():\n    from . import laws"),
        (late_imports, "class A:\n    def f(self):\n        import gc_ref"),
        (late_imports, "def f(name):\n    importlib.import_module(f'gc_ref.{name}')"),
        (identities, "cache[id(case)] = 1"),
        (decisions_on_prose, "if 'none of' not in outcome.message: pass"),
        (decisions_on_prose, "x = check['message'] == 'no'"),
        (decisions_on_prose, "ACCUMULATES in judge.notes"),
        (decisions_on_prose, "message.startswith(FUZZED)"),
        (decisions_on_prose, "diagnosis[0].endswith(':')"),
        (decisions_on_prose, "check.replay.startswith('#')"),
        (decisions_on_prose, "report['diagnosis'][0].partition(':')"),
        (decisions_on_prose, "'gc-ref installed' in replay"),
        (decisions_on_prose, "found.words != words"),
        (kinds_of_port, "if judge.port.kind == 'keras': pass"),
        (kinds_of_port, "port.kind in ('keras', 'optax')"),
        (kinds_of_port, "report['port']['kind'] != 'exec'"),
    ],
)
def test_the_search_finds_a_planted_example(search, planted):
    assert list(search(ast.parse(planted)))


@pytest.mark.parametrize(
    ("search", "harmless"),
    [
        (late_imports, "def f():\n    import torch\n    import_module(name)"),
        (identities, "def explain(id):\n    return CHECKS[id]"),
        (decisions_on_prose, "if check.message: print(check.message)"),
        (decisions_on_prose, "'message' in report"),
        (decisions_on_prose, "if name in words: pass"),
        (kinds_of_port, "parameter.kind == 'bias'"),
        (kinds_of_port, "kind == 'exec'"),
        (kinds_of_port, "port.kind == other.kind"),
    ],
)
def test_the_search_leaves_alone_what_is_meant(search, harmless):
    assert not list(search(ast.parse(harmless)))

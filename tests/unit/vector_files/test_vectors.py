"""The frozen vectors: true, unchanged, made by the second witness, met by the array reference."""

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import gc_ref
from gc_ref import exact
from gc_ref._conformance.cases.vectors import RELEASED, Vector, folder, frozen, versions_up_to
from gc_ref._conformance.catalogue.deviations import FORMS, Form
from gc_ref._conformance.catalogue.execution import operator_of, training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.vector_files.kills import (
    NOT_SHOWN,
    answers_of,
    kills_of,
    shown_forms,
    worst,
)
from gc_ref.conformance import Case

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "conformance" / "vectors"
EVERY = [v for algorithm in ("operator", "sgdm", "adam") for v in frozen(algorithm)]
HALF = ("float16", "bfloat16")


@pytest.fixture
def maker(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "conformance")
    import make_vectors

    yield make_vectors
    for name in ("make_vectors", "vector_suite"):
        sys.modules.pop(name, None)


def test_a_checkout_reads_the_files_of_the_repository():
    assert folder() == FOLDER
    assert len(EVERY) == 208


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.json")), ids=lambda p: p.name)
def test_files_follow_their_schema(path):
    schema = json.loads((FOLDER / "schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    found = json.loads(path.read_bytes())
    validator.validate(found)
    assert found["suite"] == path.parent.name
    assert {v["since"] for v in found["vectors"]} == {found["suite"]}
    assert {v["clause"] for v in found["vectors"]} == {found["clause"]}
    del found["vectors"][0]["bound"]
    with pytest.raises(jsonschema.ValidationError, match="bound"):
        validator.validate(found)


def test_every_id_occurs_once_and_lists_have_the_size_of_the_shape():
    assert not [k for k, n in Counter(v.id for v in EVERY).items() if n > 1]
    for v in EVERY:
        rows = [*v.raw["gradients"], *v.raw["expected"], *v.raw["bound"]]
        assert {len(row) for row in rows} == {int(np.prod(v.shape))}, v.id


def test_digests_are_those_of_the_files_and_of_the_release():
    found = json.loads((FOLDER / "digest.json").read_bytes())["suites"]
    assert set(found) == set(RELEASED) == {p.name for p in FOLDER.iterdir() if p.is_dir()}
    for version, entry in found.items():
        there = {f"{version}/{p.name}" for p in (FOLDER / version).iterdir()}
        assert set(entry["files"]) == there
        lines = ""
        for name, digest in sorted(entry["files"].items()):
            assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
            lines += f"{digest}  {name}\n"
        assert hashlib.sha256(lines.encode()).hexdigest() == entry["all"] == RELEASED[version]


def test_the_files_come_out_the_same_again(maker):
    for version in RELEASED:
        for name, text in maker.made(version).items():
            assert (FOLDER / name).read_text("utf-8") == text, name
    assert maker.digests(FOLDER) == (FOLDER / "digest.json").read_text("utf-8")


def test_a_released_vector_cannot_be_changed(maker, tmp_path, monkeypatch):
    text = (FOLDER / "2026.1/eq-1.json").read_text("utf-8")
    more = json.loads(text)
    more["vectors"] = more["vectors"][:2]
    new = json.dumps(more)
    monkeypatch.setattr(maker, "made", lambda version: {"2026.1/eq-1.json": text})
    (tmp_path / "2026.1").mkdir()
    target = tmp_path / "2026.1/eq-1.json"
    target.write_text(new, "utf-8")
    assert maker.write(tmp_path) == ""  # two are there, and stay as they are
    assert target.read_text("utf-8") == text
    more["vectors"][1]["expected"][0][0] = "0x1p+0"
    changed = json.dumps(more)
    target.write_text(changed, "utf-8")
    assert "eq1/dense-integers-last-f32 would change" in maker.write(tmp_path)
    assert target.read_text("utf-8") == changed
    assert maker.write(tmp_path, unreleased=True) == ""


def test_versions():
    assert versions_up_to(None) == list(RELEASED)
    assert versions_up_to("2026.1") == ["2026.1"]
    with pytest.raises(ValueError, match=r"unknown suite version '2025\.1'; known: 2026\.1"):
        versions_up_to("2025.1")


# ---- expected values and bounds


def reference(vector):
    """Answers of the array reference, step by step; half types in float32, rounded once a step."""
    axes, hyper, how = vector.output_axes, vector.hyperparameters, vector.conventions
    wide = np.float64 if vector.dtype == "float64" else np.float32
    grads = [g.astype(wide) for g in vector.gradients]
    if vector.algorithm == "operator":
        return [store(phi(grads[0], axes), vector.dtype)]
    w = vector.weight.astype(wide)
    flat = {"output_axis": 0}  # of an array of one dimension, which is left alone
    sgdm = vector.algorithm == "sgdm"
    state = (gc_ref.sgdm_init if sgdm else gc_ref.adam_init)(w.ravel())
    decay, placement, lr = hyper["weight_decay"], how["placement"], hyper["lr"]
    steps = []
    for t, g in enumerate(grads, 1):
        if how["decay"] == "decoupled":
            w = w - wide(lr * decay) * w
        l2 = wide(decay) * w if how["decay"] == "l2" else 0 * w
        g = {
            "gradient": lambda g, l2: phi(g, axes) + l2,
            "decayed-gradient": lambda g, l2: phi(g + l2, axes),
            "update": lambda g, l2: g + l2,
        }[placement](g, l2).ravel()
        zero = np.zeros_like(g)
        if sgdm:
            ema = how["momentum"] == "ema" and not (t == 1 and how["first_momentum"] == "gradient")
            moved, state = gc_ref.sgdm_step(
                zero, g, state, lr=lr, momentum=hyper["momentum"],
                dampening=None if ema else 0.0, **flat,
            )  # fmt: skip
        else:
            hat = how["epsilon"] == "hat"
            eps = hyper["eps"] / (1 - hyper["beta2"] ** t) ** 0.5 if hat else hyper["eps"]
            moved, state = gc_ref.adam_step(
                zero, g, state, lr=lr, beta1=hyper["beta1"], beta2=hyper["beta2"], eps=eps, **flat
            )  # fmt: skip
        step = moved.reshape(w.shape)
        w = store(w + (phi(step, axes) if placement == "update" else step), vector.dtype)
        steps.append(w)
    return steps


def phi(g, axes):
    return g if axes is None else gc_ref.centralize(g, output_axis=axes)


def store(values, dtype):
    if dtype not in HALF:
        return values
    flat = [exact.round_to(v, dtype) for v in values.astype(np.float64).ravel().tolist()]
    return np.array(flat, np.float32).reshape(values.shape)


@pytest.mark.parametrize("vector", EVERY, ids=lambda v: v.id)
def test_the_array_reference_is_within_the_bounds(vector):
    with np.errstate(invalid="ignore"):
        answers = [a.ravel().tolist() for a in reference(vector)]
    assert vector.misses(answers) == []


def test_the_reference_itself_takes_the_steps_of_the_plain_vectors():
    """Without decay and in the paper's own placement: `sgdm_step` and `adam_step` as they are."""
    held = 0
    for v in EVERY:
        plain = v.algorithm != "operator" and v.dtype in ("float32", "float64")
        papers = {"decay": "none", "placement": "gradient", "first_momentum": "zero"}
        if not plain or any(v.conventions.get(k, x) != x for k, x in papers.items()):
            continue
        if v.conventions.get("epsilon") == "hat":
            continue
        hyper = {k: x for k, x in v.hyperparameters.items() if k != "weight_decay"}
        w, axis = v.weight, v.output_axes or 0
        init, step = (
            (gc_ref.sgdm_init, gc_ref.sgdm_step)
            if v.algorithm == "sgdm"
            else (gc_ref.adam_init, gc_ref.adam_step)
        )
        if v.conventions.get("momentum", "ema") != "ema":
            hyper["dampening"] = 0.0
        state, answers = init(w), []
        for g in v.gradients:
            w, state = step(w, g, state, output_axis=axis, **hyper)
            answers.append(w.ravel().tolist())
        assert v.misses(answers) == [], v.id
        held += 1
    assert held > 25


@pytest.mark.parametrize("vector", EVERY, ids=lambda v: v.id)
def test_the_right_values_of_the_dtype_pass_and_what_is_next_to_the_bound_does_not(vector):
    nearest = [[exact.round_to(e, vector.dtype) for e in row] for row in vector.expected]
    assert vector.misses(nearest) == []
    for step, (row, bounds) in enumerate(zip(vector.expected, vector.bound, strict=True)):
        for i, (e, b) in enumerate(zip(row, bounds, strict=True)):
            answer = [list(r) for r in vector.expected]
            answer[step][i] = float("nan")
            free = b == np.inf
            assert ((step, i) in vector.misses(answer)) is not free
            assert free == bool(np.isnan(e)), "only a NaN leaves an element undecided"
            if i < 3 and not free:
                answer[step][i] = e + max(2 * b, np.spacing(abs(e)) * 2)
                assert (step, i) in vector.misses(answer)


def test_exact_means_that_the_expected_values_are_numbers_of_the_dtype():
    found = [v for v in EVERY if "exact" in v.flags]
    assert len(found) > 40
    for v in found:
        for e in v.expected[0]:
            assert np.isnan(e) or exact.round_to(e, v.dtype) == e, v.id


def test_untouched_and_fan_in_one_allow_no_error():
    for v in EVERY:
        if v.algorithm == "operator" and {"untouched", "fan-in-one"} & set(v.flags):
            assert not np.any(v.bound), v.id


# ---- which deviations they catch


@pytest.mark.parametrize("vector", EVERY, ids=lambda v: v.id)
def test_kills_is_what_the_catalogue_really_fails_and_by_a_margin(vector):
    ratios = {name: worst(vector, form) for name, form in shown_forms(vector.since)}
    assert list(vector.kills) == [name for name, ratio in ratios.items() if ratio > 1]
    assert list(vector.kills) == kills_of(vector)
    close = {name: ratio for name, ratio in ratios.items() if 0.95 < ratio < 1.05}
    assert not close, "another rounding might tip it over"


@pytest.mark.parametrize("vector", EVERY, ids=lambda v: v.id)
def test_a_right_port_is_not_accused(vector):
    algorithm = "sgdm" if vector.algorithm == "operator" else vector.algorithm
    assert worst(vector, Form("", Semantics(algorithm=algorithm))) <= 1


@pytest.mark.parametrize("vector", [v for v in EVERY if v.dtype not in HALF], ids=lambda v: v.id)
def test_the_ports_of_the_catalogue_answer_the_same(vector):
    """`kills` is made by a loop of its own over one weight: the ports of the selftest agree."""
    from dataclasses import replace

    case = vector.case()
    [p] = case.parameters
    for name, form in shown_forms():
        mine = answers_of(vector, form)
        if mine is None:
            continue
        with np.errstate(all="ignore"):
            if vector.algorithm == "operator":
                theirs = [operator_of(form.semantics, vector.layout)(vector.gradients[0])]
            elif form.semantics.centering == "model" or form.semantics.gate in (
                "first-part",
                "not-the-last",
            ):
                continue
            else:
                what = replace(
                    form.semantics, algorithm=vector.algorithm, conventions=vector.conventions
                )
                bits = 53 if vector.dtype == "float64" else 24
                steps = training_loop(what, vector.layout, bits)(Case(**vars(case)))
                theirs = [step[p.name] for step in steps]
        same = np.array_equal(mine, [np.ravel(a) for a in theirs], equal_nan=True)
        assert same, f"{vector.id}: {name}"


def test_every_form_that_a_vector_can_show_is_caught_twice():
    caught = Counter(form for v in EVERY for form in v.kills)
    names = {id for id, p in FORMS.items() if p.since in RELEASED}
    assert set(NOT_SHOWN) & names
    assert {name for name in names if caught[name] >= 2} == names - set(NOT_SHOWN)
    assert set(caught) == names - set(NOT_SHOWN)


def test_what_is_not_shown_cannot_be():
    """On one weight these are right, or are another deviation that is shown."""
    for v in EVERY:
        for name in ("first-shape-axes", "state-aliased", "state-aliased/gradient", "flag-ignored"):
            assert worst(v, FORMS[name]) <= 1, (name, v.id)
        if v.algorithm == "operator" or len(v.shape) < 2:
            continue
        for name in ("partial/group", "partial/last"):  # the only weight is left out
            assert answers_of(v, FORMS[name]) in (
                answers_of(v, FORMS["not-applied"]), answers_of(v, Form("", Semantics()))
            )  # fmt: skip


def test_the_readme_says_what_is_not_shown_and_what_the_flags_are():
    words = (FOLDER / "README.md").read_text("utf-8")
    shown = words.partition("## What vectors cannot show")[2].partition("\n## ")[0]
    rows = [line.partition(" |")[0] for line in shown.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == set(NOT_SHOWN)
    flags = words.partition("## Flags")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([a-z-]+)` \|", flags, re.MULTILINE))
    assert named == {flag for v in EVERY for flag in v.flags} | {"found"}
    schema = json.loads((FOLDER / "schema.json").read_bytes())
    assert set(schema["$defs"]["flag"]["enum"]) == named


def test_a_vector_in_words():
    v = Vector(json.loads((FOLDER / "2026.1/eq-1.json").read_bytes())["vectors"][0])
    assert (v.id, v.algorithm, v.shape) == ("eq1/dense-integers-first-f32", "operator", (3, 4))


def test_every_form_of_the_next_suite_would_be_caught_by_the_vectors_there_are():
    """They are named by no released vector, and yet fail some."""
    coming = [name for name, form in shown_forms() if form.since not in RELEASED]
    for name in coming:
        assert any(worst(v, FORMS[name]) > 1 for v in EVERY), name

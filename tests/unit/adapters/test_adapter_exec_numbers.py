"""Numbers on their way to a program and back: no digit is lost, and only numbers are read."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gc_ref._conformance.ports.serialization import (
    ProtocolError,
    read_number,
    read_numbers,
    write_number,
)
from gc_ref.conformance import Case, Parameter

from ._exec_child import HELLO
from ._exec_talk import fake_port


@pytest.fixture
def fake(monkeypatch):
    """Make a port of a hello and a function of the run."""
    return partial(fake_port, monkeypatch)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_number_of_a_dtype_comes_back(fake, dtype):
    every = np.arange(2**16, dtype=np.uint16)
    if dtype == "bfloat16":
        values = (every.astype(np.uint32) << 16).view(np.float32)
    else:
        edges = np.finfo(dtype)
        more = [edges.max, edges.tiny, edges.smallest_subnormal, -edges.eps, 0.1, -0.0]
        with np.errstate(invalid="ignore"):  # signaling NaNs
            values = np.concatenate([every.view(np.float16).astype(dtype), np.array(more, dtype)])
    p = Parameter("dense_0", "dense", np.zeros_like(values)[None], "dense")
    case = Case("all", (p,), ({p.name: values[None]},), dtype=dtype)
    found = fake(HELLO).run(case).steps[0][p.name]
    assert found.dtype == values.dtype
    assert np.array_equal(found[0], values, equal_nan=True)
    finite = ~np.isnan(values)
    assert np.array_equal(np.signbit(found[0])[finite], np.signbit(values)[finite])


@given(st.floats(allow_nan=False))
def test_no_digit_is_lost(value):
    text = write_number(value)
    assert read_number(text) == value
    assert math.copysign(1, read_number(text)) == math.copysign(1, value)
    if math.isfinite(value):
        assert float.fromhex(text) == value
        assert read_number(text.upper().replace("P+", "p")) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1.8p+1", 3.0),
        ("0x1.8p+01", 3.0),  # Go
        ("0x1.8p1", 3.0),  # Java
        ("0xcp-2", 3.0),
        ("+0x.8p0", None),
        ("0x0.0000000000001p-1022", 5e-324),
        ("0x1p-1074", 5e-324),
        ("0x1p-1075", None),
        ("0x1.8p-1074", None),
        ("0x1.fffffffffffffp+1023", 1.7976931348623157e308),
        ("0x1p+1024", None),
        ("0x1.fffffffffffff8p+0", None),
        ("0x1.00000000000000000p+0", 1.0),
        ("-0x0p+999999", -0.0),
        ("0x1p+9999999", None),
        ("0x1p+99999", None),
        ("0x1p-99999", None),
        ("0x" + "1" * 33 + "p0", None),
        ("-inf", -math.inf),
        ("-nan", math.nan),
        *((t, None) for t in ("", "1.5", "0x1.8", "0x1.8p", "1p0", "NaN", "Infinity", "+inf")),
        *((t, None) for t in ("0x1p+0\n", " 0x1p+0", "0x1_0p+0", "0x1p+\u0661", "0x1p+0x")),
        *((t, None) for t in (1.5, 1, None, True, [], {}, ["0x1p+0"])),
    ],
)
def test_numbers(text, value):
    if value is None:
        with pytest.raises(ProtocolError):
            read_number(text)
    else:
        found = read_number(text)
        assert found == value or (math.isnan(found) and math.isnan(value))
        assert math.copysign(1, found) == math.copysign(1, value) or math.isnan(value)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("float16", "0x1.ffcp+15", "0x1.ffep+15"),
        ("bfloat16", "0x1.fep+127", "0x1.ffp+127"),
        ("bfloat16", "0x1p-133", "0x1p-134"),
        ("float32", "0x1.fffffep+127", "0x1p+128"),
        ("float32", "0x1p-149", "0x1p-150"),
    ],
)
def test_a_number_must_be_one_of_the_dtype(dtype, good, bad):
    assert read_numbers([good], dtype)[0] == float.fromhex(good)
    with pytest.raises(ProtocolError, match=f"no {dtype} is: round to it"):
        read_numbers([good, bad], dtype)

"""No optimizer of the zoo is accused, whatever its conventions and its style."""

import pytest

from .test_zoo import cases, judged


@pytest.mark.parametrize(("entry", "seed"), list(cases("optimizer")))
def test_no_correct_optimizer_is_accused(entry, seed):
    # Φ of Adam's final direction leaves no gradient to hold the laws of Eq. 2 to.
    late = entry.follows.get("placement") == "update" or "update" in entry.name
    assert judged(entry, seed).checks_run >= (14 if late else 18)

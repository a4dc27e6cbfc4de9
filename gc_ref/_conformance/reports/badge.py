"""The badge: JSON for an endpoint of shields.io."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gc_ref._conformance.reports.words import checks_run, counted, with_status

__all__ = ["render_badge"]

LABEL = "gradient centralization"


def render_badge(report: Mapping[str, Any], *, least: int = 1) -> str:
    """Return the badge of a report; it is never green where fewer than ``least`` checks ran."""
    ran = checks_run(report)
    expected = len(with_status(report, "expected-failure"))
    if report["verdict"] == "error":
        message, color = "could not be judged", "lightgrey"
    elif not ran or ran < least:
        message, color = f"only {counted(ran, 'check')} ran", "lightgrey"
    elif report["verdict"] == "deviates":
        failed = len(with_status(report, "failed", "unexpected-pass", "indeterminate"))
        message, color = f"deviates ({failed} of {counted(ran, 'check')})", "red"
    elif expected:
        words = counted(expected, "known failure")
        message, color = f"conforms ({counted(ran, 'check')}, {words})", "yellow"
    else:
        message, color = f"conforms ({counted(ran, 'check')})", "brightgreen"
    badge = {"schemaVersion": 1, "label": LABEL, "message": message, "color": color}
    return json.dumps(badge, indent=2) + "\n"

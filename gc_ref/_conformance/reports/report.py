"""The report that `check` returns, and what can be made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gc_ref._conformance.reports.html.page import render_html
from gc_ref._conformance.reports.markdown import render_markdown
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import render_badge
from gc_ref._conformance.reports.text import render_diagnosis, render_text


@dataclass(frozen=True)
class Report(ReportData):
    """The result of judging one port.

    Attributes
    ----------
    port : mapping
        ``name``, ``kind`` and ``target``.
    suite, seed : str, int
        What was run.
    conventions : mapping
        Field to ``{"value", "source"}``: declared or inferred choices of the port.
    checks : tuple of CheckReport
        One entry per check, in the order they ran.
    identified : tuple of str
        Ids of the known deviations that the port shows, nearest first.
    notes : tuple of str
        What was noticed and is not judged, and what was assumed.
    environment : mapping
        Versions that matter for seeing the same again, and under ``arithmetic`` what
        rounding the port was granted: sums, hyperparameters, subnormal numbers.
    recognized : bool
        Whether the optimizer is one that there is a formula or a base for.
    diagnosis : tuple of str
        What the port does, in sentences.
    suite_version : str
        Suite of the frozen vectors.
    vectors : int
        Number of vectors that the port was held against and passed.
    evidence : mapping
        What the pictures show: means left, ratios to the bounds, sums of weights over the
        steps.
    known_from : str
        The file that lists the known failures, where there is one.
    ambiguous : bool
        Whether several known semantics explain the port: which of them it has is not known.
    complete : bool
        False where the process that judged the port ended early, so that checks are missing.
    scope : mapping
        Number of ``weights``, and of those that GC leaves alone (``left_alone``) under the
        conventions; empty where that is not known.
    mend : tuple of str
        What the author can do about each of the deviations of ``identified``; empty where
        several known semantics explain the port.

    Examples
    --------
    >>> from gc_ref.conformance import check, operator_port
    >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
    >>> report.verdict
    'deviates'
    >>> [c.id for c in report.with_status("failed")][:2]
    ['effect/on', 'scope/every-weight']
    """

    def to_json(self) -> str:
        """Return `to_dict` as text: the same run gives the same bytes.

        Returns
        -------
        str
            JSON, ends with a newline.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_json()[:31])
        {
          "schema": "gc-ref-report/1"
        """
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the report in Markdown, for the summary of a CI job.

        Returns
        -------
        str
            GitHub flavored Markdown; what a port says of itself is escaped.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_markdown().splitlines()[0])
        ## ✗ idle deviates: the gradient is left as it is
        """
        return render_markdown(self)

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else: no network, no other file.

        Returns
        -------
        str
            HTML, with its pictures inside where matplotlib is installed.

        Raises
        ------
        ImportError
            If Jinja2 is not installed, which is in the extra ``gc-ref[report]``.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> report.to_html().startswith("<!DOCTYPE html>")
        True
        """
        return render_html(self)

    def to_badge(self, *, least: int = 1) -> str:
        """Return JSON for a badge, as an endpoint of shields.io takes it.

        Parameters
        ----------
        least : int, default 1
            The badge is not green if fewer checks ran.

        Returns
        -------
        str
            JSON with ``label``, ``message`` and ``color``.

        Examples
        --------
        >>> import json
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> json.loads(report.to_badge())["color"]
        'red'
        """
        return render_badge(self, least=least)

    def to_text(self, *, identify: bool = False, verbose: bool = False) -> str:
        """Return the report that a port's author reads.

        Parameters
        ----------
        identify : bool, default False
            The diagnosis alone, without the checks.
        verbose : bool, default False
            Every failed check with its numbers, what the checks that passed saw, and what
            each convention means.

        Returns
        -------
        str
            Plain text; the verdict is its first line.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_text(identify=True).partition(" (")[0])
        DEVIATES: idle fails 6 of 19 checks
        """
        return render_diagnosis(self) if identify else render_text(self, verbose=verbose)

    def __str__(self) -> str:
        """Return the text report."""
        return self.to_text()

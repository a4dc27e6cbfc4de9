"""The pytest plugin of gc-ref: its options, its JSON reports, and no success without a judgment.

pytest loads this module when it starts. A package that is imported so early escapes coverage
measurements: so this module does not import gc_ref before a test has. It recognizes the checks of
`gc_ref.conformance.parametrize_with_checks` by an attribute.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

#: Statuses of a check that a test must not hide.
FAILED = ("failed", "indeterminate", "error", "unexpected-pass")
#: How a session ends in which nothing went wrong.
ENDED_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
#: Id of the test of a check: those of one port differ in what follows the last dash.
CHECK_OF_PORT = re.compile(
    r"(?P<port>.*\[.*)-(effect|hygiene|law|scope|step|value)/[a-z0-9.-]+\](@.*)?"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gc-ref", "Gradient Centralization (gc-ref)")
    group.addoption(
        "--gc-ref-suite", choices=("quick", "full"), default="quick", help="how much is run"
    )
    group.addoption(
        "--gc-ref-max-examples", type=_count, metavar="N", help="fuzzed examples per check"
    )
    group.addoption("--gc-ref-seed", type=_count, default=0, metavar="N", help="of random cases")
    group.addoption(
        "--gc-ref-json", metavar="FILE", help="write the reports of all ports, a JSON list"
    )
    group.addoption(
        "--gc-ref-min-checks",
        type=_count,
        metavar="N",
        help="fail a session in which fewer checks said something of a port (known failures "
        "count, skipped checks do not); by default, one in which gc-ref tests ran, none was "
        "deselected, and no check said anything",
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the session; refuse now, not after all tests, a file that cannot be written."""
    path = config.getoption("--gc-ref-json")
    if path is not None and not hasattr(config, "workerinput"):
        target = config.invocation_params.dir / path
        if target.is_dir() or not target.parent.is_dir():
            why = "is a folder" if target.is_dir() else "lies in a folder that is not there"
            raise pytest.UsageError(f"--gc-ref-json {path} {why}")
    config.pluginmanager.register(Session(config), "gc-ref-session")
    config.add_cleanup(guard_exit(config))


def guard_exit(config: pytest.Config) -> Callable[[], None]:
    """Let no port end a session with ``os._exit(0)``, as if all was well; return how to undo it.

    Only what goes through Python can be seen here: C code that ends the process ends it. Under
    pytest-xdist the port runs in a worker, whose end its controller notices, however it came.
    """
    real, own = os._exit, os.getpid()

    def leave(status: int) -> None:
        if status == 0 and os.getpid() == own and "gc_ref" in sys.modules:
            status = 3
            capture = config.pluginmanager.getplugin("capturemanager")
            if capture is not None:
                capture.suspend_global_capture(in_=True)
            os.write(2, b"\ngc-ref: os._exit(0) before the session had finished: status 3\n")
        real(status)

    def undo() -> None:
        if os._exit is leave:
            os._exit = real

    os._exit = leave  # type: ignore[assignment]
    return undo


def check_of(item: Any) -> Any:
    """Return the check of a test made by parametrize_with_checks, or None."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    return next((v for v in values if getattr(v, "gc_ref_check", False) is True), None)


def _begin_with_the_diagnosis(report: Any, call: pytest.CallInfo[None]) -> None:
    """Leave the name of the exception out of the line of the short summary.

    The line is cut at its end, and begins with that name, FAILED, already.
    """
    raised = call.excinfo.value if call.excinfo else None
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and isinstance(raised, pytest.fail.Exception) and raised.msg:
        crash.message = raised.msg


class Session:
    """What this process knows of the checks; under xdist the workers tell the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.worker = hasattr(config, "workerinput")
        self.entries: dict[str, dict[str, Any]] = {}
        self.summaries: list[dict[str, Any]] = []
        self.deselected = False
        #: Ids of the tests of checks that are still to run here.
        self.waiting: set[str] = set()
        #: One check and its test's id, for each judged port and test function.
        self.tests: dict[Any, tuple[Any, str]] = {}
        self.complaint = ""

    # ---- in the process that runs the tests

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember whether the user left some of the checks out."""
        self.deselected |= any(check_of(item) is not None for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which checks are to run."""
        self.waiting = {item.nodeid for item in session.items if check_of(item) is not None}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Hand the options to the check."""
        check = check_of(item)
        if check is not None:
            option = self.config.option
            check.judged.configure(
                suite=option.gc_ref_suite,
                seed=option.gc_ref_seed,
                max_examples=option.gc_ref_max_examples,
            )
            check.last, check.test_id = None, item.nodeid
            check.place = os.path.relpath(self.config.rootpath, self.config.invocation_params.dir)
            function = getattr(item, "originalname", item.name)
            self.tests[check.judged, item.location[0], function] = check, item.nodeid

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Add what the check found to the report of its test; it travels to the controller."""
        report: Any = yield
        check = check_of(item)
        if check is not None and report.when == "call":
            entry = check.entry()
            if entry is not None:
                report.gc_ref = json.dumps(entry)
                _begin_with_the_diagnosis(report, call)
                hidden = report.passed or (report.skipped and not hasattr(report, "wasxfail"))
                if hidden and entry["check"]["status"] in FAILED:
                    from gc_ref._conformance.writing.words import shown

                    report.outcome = "failed"
                    report.longrepr = (
                        f"{check.id}: {shown(entry['check']['message'])}\n"
                        "the check failed, and the test hid it: let what check(port) raises go on"
                    )
            elif report.passed:
                report.outcome = "failed"
                report.longrepr = "the test judged nothing: it has to call check(port)"
        return report

    # ---- in the process that sees all reports

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect what the checks found, from all workers."""
        if report.when == "teardown":  # not reached where the session is ended in the test
            self.waiting.discard(report.nodeid)
        if hasattr(report, "gc_ref"):
            self.entries[report.nodeid] = json.loads(report.gc_ref)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Let ``--dist loadgroup`` of xdist keep the checks of a port in one process.

        They share their runs: a second process would judge the port a second time.
        """
        if config.getoption("dist") != "loadgroup":
            return None
        from xdist.scheduler import LoadGroupScheduling

        class PortScheduling(LoadGroupScheduling):  # type: ignore[misc]
            def _split_scope(self, nodeid: str) -> str:
                found = CHECK_OF_PORT.fullmatch(nodeid)
                return found["port"] if found else super()._split_scope(nodeid)

        return PortScheduling(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Take over what a worker of xdist knows that no report of a test says."""
        told = json.loads(getattr(node, "workeroutput", {}).get("gc_ref", "{}"))
        self.deselected |= told.get("deselected", False)
        self.summaries += told.get("summaries", [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the reports; fail the session if too few checks said something."""
        option = self.config.option
        if option.gc_ref_json is not None:
            self.summaries += [
                check.judged.summary(check.id, test, check.place)
                for check, test in self.tests.values()
                if check.judged.found
            ]
        if self.worker:
            told = {"deselected": self.deselected, "summaries": self.summaries}
            self.config.workeroutput["gc_ref"] = json.dumps(told)  # type: ignore[attr-defined]
            return
        if option.collectonly:
            return
        if option.gc_ref_json is not None:
            self._write(option.gc_ref_json)
        ran = sum(e["said_something"] for e in self.entries.values())
        asked = option.gc_ref_min_checks
        default = 1 if self.entries and not self.deselected else 0
        if ran < (default if asked is None else asked):
            self.complaint = (
                "gc-ref: no check said anything of a port, so nothing was judged"
                if asked is None
                else f"gc-ref: only {ran} {'check' if ran == 1 else 'checks'} said something of a "
                f"port, --gc-ref-min-checks asks for {asked}"
            )
        elif self.waiting and session.exitstatus == pytest.ExitCode.OK:
            self.complaint = (
                f"gc-ref: the session was ended before {len(self.waiting)} of its checks had run"
            )
        if self.complaint and session.exitstatus in ENDED_WELL:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which weights a port leaves alone undeclared, and why the session failed."""
        for entry in self.entries.values():
            if entry["narrowed"]:
                words = f"gc-ref: {entry['port']['name']} is judged {entry['narrowed']}"
                terminalreporter.write_line(words, yellow=True)
        if self.complaint:
            terminalreporter.write_line(self.complaint, red=True)

    def _write(self, path: str) -> None:
        """Write the reports of all ports, joined from what several workers found."""
        reports: list[Any] = []
        if self.entries:  # a test has imported gc_ref, here or in a worker
            from gc_ref._conformance.testing.session_report import session_reports

            reports = session_reports(list(self.entries.values()), self.summaries)
        text = json.dumps(reports, indent=2, ensure_ascii=False) + "\n"
        try:
            (self.config.invocation_params.dir / path).write_text(text, encoding="utf-8")
        except OSError as error:
            self.complaint = f"gc-ref: --gc-ref-json {path}: {error.strerror}"

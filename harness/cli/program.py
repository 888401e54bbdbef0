# SPDX-License-Identifier: GPL-3.0-only
"""The program: picks the verb, imports only its file, and turns whatever happens into an exit code.

Importing the engine and ssh costs more than planning does, so `harness plan` must not pay for them.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

from harness.errors import EXIT_CANNOT_MEASURE, HarnessError, Mistake, Mistakes

VERBS = {
    "run": "run scenarios in virtual machines and judge them",
    "gate": "run the controls and the scenarios that a gate file lists, to one exit code",
    "matrix": "run what decides the cells of a matrix file, to one table and one exit code",
    "plan": "print what a scenario would do, step by step, or what a gate or a matrix lists",
    "judge": "judge a run directory again, from its record alone",
    "report": "print the timeline and the findings of a run directory",
    "fingerprint": "learn by control boots what each core's snapd makes, for later verdicts",
    "build": "build images, cores and snaps ahead of a run",
    "doctor": "say what this host has, and what it lacks",
    "schema": "print the JSON schema of scenario, gate, matrix or catalogue files, for editors",
}

_CLAIM = "Decides whether snap services only ever start under the running snapd's policy."

_ENDING = """\
exit codes:
  0    held: everything that had to be proven was proven
  1    violated: a service started under policy that the running snapd did not make
  2    unproven: the evidence does not say
  3    the harness or the host failed: nothing is known about the guest
  64   a mistake in what was written or asked for
Of several scenarios the worst counts, in the order 64, 3, 1, 2, 0. A gate ends with 3, whatever else it
found, when one of its controls does not come out as it must: then the harness cannot see. Of a matrix, 0
says that every cell is as expected, and 1 that one is not.
"""


class Verb(Protocol):
    """What a verb's file offers."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options."""

    def carry_out(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit code."""


class Parser(argparse.ArgumentParser):
    """Ends with a Mistake, where argparse would exit with 2, which means unproven here."""

    def error(self, message: str) -> NoReturn:
        raise Mistake(f"cannot understand the command line: {message}", hint=f"see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; nothing escapes but SystemExit of `--help`."""
    try:
        return _carry_out(list(sys.argv[1:] if argv is None else argv))
    except HarnessError as error:
        print(_told(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        number = getattr(interrupt, "number", signal.SIGINT)
        print(
            f"harness: {str(interrupt) or 'interrupted'}; everything that was started is gone",
            file=sys.stderr,
        )
        return 128 + int(number)
    except BrokenPipeError:
        # The reader has gone (`| head`); Python's own flush at exit must not fail on it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # the last place: a defect must not reach a user as a traceback
        print(_defect(error), file=sys.stderr)
        return EXIT_CANNOT_MEASURE


def _carry_out(argv: list[str]) -> int:
    name = argv[0] if argv else "--help"
    if name not in VERBS:
        _overview().parse_args(argv or ["--help"])
        raise Mistake(f"cannot understand {name!r}: expected one of {', '.join(VERBS)}")
    verb = cast("Verb", importlib.import_module(f"harness.cli.{name}"))
    parser = Parser(
        prog=f"harness {name}",
        description=VERBS[name],
        epilog=_ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.options(parser)
    return verb.carry_out(parser.parse_args(argv[1:]))


def _overview() -> argparse.ArgumentParser:
    verbs = "\n".join(f"  {name:<11} {summary}" for name, summary in VERBS.items())
    parser = Parser(
        prog="harness",
        usage="harness VERB …",
        description=f"{_CLAIM}\n\n{verbs}",
        epilog=_ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", nargs="?")
    return parser


def _told(error: HarnessError) -> str:
    """A mistake in a file starts with its place, so that editors and terminals can follow it."""
    return str(error) if isinstance(error, Mistakes) else f"harness: {error}"


def _defect(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    first = f"harness: cannot go on: a defect of the harness: {type(error).__name__}: {error}"
    if os.environ.get("HARNESS_DEBUG") == "1":
        return f"{first}\n{text}"
    with tempfile.NamedTemporaryFile("w", prefix="harness-defect-", suffix=".txt", delete=False) as file:
        file.write(text)
    return f"{first}\n  please report it with {file.name}"

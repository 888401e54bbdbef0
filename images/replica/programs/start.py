# SPDX-License-Identifier: GPL-3.0-only
"""Runs the program of a name, and gives the status to end with."""

import importlib
import sys


def run(name, argv):
    """`argv` as Python made it: the arguments alone, or one empty text when there are none."""
    arguments = [word for word in argv if word] if len(argv) == 1 else argv
    try:
        module = importlib.import_module(name.replace("-", "_") + "_main")
        status = module.main(arguments) or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        # As the module traceback would tell it, which costs an emulated guest half a second to import.
        sys.excepthook(*sys.exc_info())
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1
    return status

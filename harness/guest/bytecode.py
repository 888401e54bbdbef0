# SPDX-License-Identifier: GPL-3.0-only
"""The witness's modules compiled beforehand, by the guest's own Python.

To compile them costs an emulated guest some seconds of CPU time at every boot. A guest that is switched off
after its start compiles them once more and hands the code out, and later boots of its disk find it beside the
sources. Python takes it when its name and its first bytes are those of the same version (PEP 3147, PEP 552),
and compiles the source when they are not. Nothing on the host ever runs it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

CACHE = "__pycache__"
LARGEST = 1 << 20  # of all code together, in bytes

_NAME = re.compile(r"\w+\.cpython-\d+\.pyc")


def compile_command(place: str) -> str:
    """Prints the code of the modules in the directory `place`, a name and the content in base64 on each line.

    It is not compared with its source, as both lie in one archive, and knows no columns.
    """
    return f"""\
again=$(mktemp -d) && cp {place}/*.py "$again" &&
python3 -I -X no_debug_ranges -m compileall -q --invalidation-mode unchecked-hash \\
    -s "$again" -p {place} "$again" &&
for code in "$again"/{CACHE}/*.pyc; do echo "${{code##*/}} $(base64 -w 0 "$code")"; done
rm -rf "$again"
"""


def read_code(printed: str) -> Mapping[str, bytes]:
    """The files that belong into CACHE; nothing where anything else was printed: a guest may print all."""
    code: dict[str, bytes] = {}
    for line in printed.splitlines():
        name, _, content = line.partition(" ")
        if not _NAME.fullmatch(name):
            return {}
        try:
            code[name] = base64.b64decode(content, validate=True)
        except binascii.Error:
            return {}
    return code if sum(map(len, code.values())) <= LARGEST else {}

# SPDX-License-Identifier: GPL-3.0-only
"""The table of this replica's release (harness/replica/release.py), as it was put beside the programs."""

import json
import os
import re
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
VAR = "/var/lib/snapd"
SNAPS = "/snap"


def read(path):
    """The table in a file: fields by attribute, maps of names as they are."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    parts = {key: SimpleNamespace(**part) if isinstance(part, dict) else part for key, part in data.items()}
    return SimpleNamespace(**parts)


def own():
    """That of the release that runs."""
    return read(os.path.join(HERE, "release.json"))


def of_core(root):
    """That of the core at `root`; None when it is no replica."""
    try:
        return read(root + "/usr/lib/snapd/replica/release.json")
    except OSError:
        return None


def own_revision():
    """The revision of the core that the running program is of; empty when it is the image's own."""
    found = re.match(r"/snap/core/([^/]+)/", os.readlink("/proc/self/exe"))
    return found.group(1) if found else ""


def tool(name):
    """One of the programs beside this one."""
    return os.path.join(os.path.dirname(HERE), name)


def build_id(path):
    """The build id in an ELF file, in hex; the note is among the first things of it."""
    with open(path, "rb") as file:
        found = re.search(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0(.{20})", file.read(1 << 16), re.DOTALL)
    return found.group(1).hex() if found else ""


def text_of(path):
    """The content of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text, mode=0o644):
    """Write a file as a whole and for good, as snapd does."""
    data = text if isinstance(text, bytes) else text.encode()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    beside = path + ".new~"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(beside, path)
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)

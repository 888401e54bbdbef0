# SPDX-License-Identifier: GPL-3.0-only
"""Names for content: the same inputs give the same key on every host."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

# Raised when a builder changes what it makes from the same inputs.
FORMAT = 4


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(value: object) -> str:
    """64 hex digits that stand for a JSON-able value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def key_of(**inputs: object) -> str:
    """As `digest_of`, for `inputs` of a builder: its format counts too."""
    return digest_of({"format": FORMAT, **inputs})


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write `value` as sorted, indented JSON, the form of every manifest."""
    path.write_text(json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def tree_digest(root: Path) -> str:
    """One SHA-256 for a directory: names, modes, link targets and contents, not times.

    What Python leaves beside sources that it has run is not part of it.
    """
    rows: list[list[object]] = []
    for path in sorted(root.rglob("*")):
        if "__pycache__" in path.relative_to(root).parts:
            continue
        mode = path.lstat().st_mode
        content = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = sha256_of(path)
        rows.append([str(path.relative_to(root)), mode, content])
    return digest_of(rows)

# SPDX-License-Identifier: GPL-3.0-only
"""The witness: it runs in the guest, on Python's standard library alone, and imports nothing of the harness.

It reads files with `os` and not with `pathlib`: in an emulated guest the import alone costs a tenth of a
second, and a look reads hundreds of small files.
"""

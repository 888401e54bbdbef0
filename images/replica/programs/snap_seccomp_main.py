# SPDX-License-Identifier: GPL-3.0-only
"""`snap-seccomp compile SOURCE TARGET`: the program of a profile's text."""

import os

import era
import filters
import profile_text
import words

UNRESTRICTED = b"@unrestricted\n"


def main(arguments):
    """Ends with status 1 when the text cannot be understood; then there is no target."""
    if len(arguments) != 3 or arguments[0] != "compile":
        words.die("replica: usage: snap-seccomp compile SOURCE TARGET")
    compile_profile(arguments[1], arguments[2], era.own().seccomp)


def compile_profile(source, target, table):
    """Write `target` as a whole, so that no launcher reads half of it."""
    with open(source, encoding="utf-8") as file:
        text = file.read()
    made = filters.Filter()
    try:
        rules = profile_text.rules(text, table, made.resolve)
    except profile_text.Unreadable as error:
        words.die(f"replica: cannot compile {source}: {error.word} is not known")
    beside = target + "~"
    with open(beside, "wb") as file:
        if rules is None:
            file.write(UNRESTRICTED)
        else:
            made.allow(rules)
            made.export(file)
        os.fsync(file.fileno())
    os.rename(beside, target)

# SPDX-License-Identifier: GPL-3.0-only
"""Reads the text of a seccomp profile: one rule a line, a system call and what its arguments must be."""

LONGEST_LINE = 80
# Of libseccomp's enum scmp_compare.
NOT_EQUAL, LESS_OR_EQUAL, EQUAL, GREATER_OR_EQUAL, GREATER, LESS, MASKED_EQUAL = 1, 3, 4, 5, 6, 2, 7
_COMPARISONS = {
    ">=": GREATER_OR_EQUAL,
    "<=": LESS_OR_EQUAL,
    "!": NOT_EQUAL,
    ">": GREATER,
    "<": LESS,
    "|": MASKED_EQUAL,
}
SYNTAX = "# syntax "


class Unreadable(Exception):
    """A word that the reader does not know; `word` is all of the argument."""

    def __init__(self, word):
        super().__init__(word)
        self.word = word


class TooLong(Exception):
    """A line that is longer than the reader takes."""


class TooNew(Exception):
    """The profile says that it needs a later syntax."""


def rules(text, table, resolve):
    """The rules, each `(number of the system call, [(argument, comparison, value), …])`; None for no filter.

    `resolve` gives a system call's number by its name, or None: such a line is left out.
    """
    lines = text.split("\n")
    # A first pass over all of it looks for these words alone, so nothing else of such a profile matters.
    if any(line in ("@unrestricted", "@complain") for line in lines):
        return None
    if any(len(line) > LONGEST_LINE for line in lines):
        raise TooLong
    _check_syntax(lines, table.syntax)
    found = []
    for line in lines:
        words = line.split() if not line.startswith("#") else []
        call = resolve(words[0]) if words else None
        if call is None:
            continue
        try:
            found.append((call, _conditions(words[1:], table)))
        except Unreadable:
            if table.unknown != "skip":
                raise
    return found


def _check_syntax(lines, known):
    if known and lines[0].startswith(SYNTAX) and int(lines[0][len(SYNTAX) :]) > known:
        raise TooNew


def _conditions(words, table):
    return [_condition(place, word, table) for place, word in enumerate(words) if word != "-"]


def _condition(place, word, table):
    operator = next((each for each in table.operators if word.startswith(each)), "")
    value = word[len(operator) :]
    comparison = _COMPARISONS[operator] if operator else EQUAL
    if value.isascii() and value.isdigit():
        return place, comparison, int(value)
    if value not in table.constants:
        raise Unreadable(value)
    return place, comparison, table.constants[value]

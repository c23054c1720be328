"""Whether a file is one of times, by its first lines: two numbers, and what is spoken between them."""

import re

STARTS = frozenset(("start", "begin", "from", "onset", "tmin", "xmin", "start_time"))
"""What the first column is called where a first line has names."""

_NUMBER = rb"[-+]?\d+(?:\.\d*)?"
TIMED_LINE = re.compile(rb"(?m)^[ \t]*" + _NUMBER + rb"[ \t]+" + _NUMBER + rb"(?:[ \t]|$)")
SECONDS_ROW = re.compile(rb"(\d+\.\d*)\t(\d+\.\d*)\t[^\t\r\n]*(?:\r?\n|$)")


def holds_times(head: bytes) -> bool:
    """Return whether any line is one of times.

    Args:
        head: The first bytes of a file that is called .lab, which may as well hold the words of a recording.

    >>> holds_times(b"0.00 0.25 pau\\n"), holds_times(b"Say it again.\\n")
    (True, False)
    """
    return TIMED_LINE.search(head) is not None


def is_table_of_times(head: bytes) -> bool:
    """Return whether a table is one of times: named so, or without names and with seconds that follow each other.

    Args:
        head: The first bytes of a file with tabs between its cells.

    >>> is_table_of_times(b"0.00\\t0.25\\thello\\n"), is_table_of_times(b"start\\tend\\tlabel\\n"), is_table_of_times(b"1\\t2\\thello\\n")
    (True, True, False)
    """
    names = head.partition(b"\n")[0].strip().decode("utf-8", "replace").lower().split("\t")
    if len(names) == 3 and names[0] in STARTS:
        return True
    found = SECONDS_ROW.match(head)
    return found is not None and float(found[1]) < float(found[2])

"""Every exception that Makar raises on purpose, in one tree.

    MakarError                     exit code 1: the work failed
    |-- UsageError                 exit code 2: the request was wrong
    |   |-- UnknownNameError       a recipe, medium, option or model that does not exist; names the nearest
    |   |-- UnsupportedError       a control that this model cannot honour; names what can
    |   |-- ConfigError            a configuration value of the wrong type or out of range
    |   |-- ConsentError           somebody whose voice or face it is has not agreed, or no more
    |   `-- AbsentAssetError       an asset that the library of this machine does not have
    |-- DataError                  input that cannot be read or used
    |   |-- EmptyDataError         nothing usable was found
    |   `-- UnsafeArchiveError     an archive that reaches outside itself or expands too far
    |-- ArtifactError              a saved model that cannot be trusted or opened
    |   |-- IntegrityError         a hash or signature does not match
    |   `-- TensorMismatchError    tensors are missing, unexpected or of another shape
    |-- RunError                   a training that cannot go on
    |   |-- RunLockedError         another process is writing this run
    |   |-- OutOfSpaceError        the disk is full
    |   |-- OutOfMemoryError       the smallest batch does not fit
    |   |-- DivergedError          the loss is not finite even after rolling back
    |   `-- InterruptedRunError    stopped on request; saved, can go on
    |-- LibraryError               the library of what was made is busy, damaged or cannot be written
    |   `-- NewerLibraryError      it was written by a later version
    |-- RemoteError                an endpoint that is down, slow, refuses, or answers nonsense
    |-- MissingExtraError          an optional dependency is absent; names the install command
    `-- CopyRefusedError           every draw was too close to the training data

Each carries what came, what was expected and what to do, because the shell shows those three lines and no traceback.
"""

import difflib
from collections.abc import Iterable


class MakarError(Exception):
    """An error whose message explains itself.

    Args:
        came: What was received or what happened.
        expected: What was expected instead; empty when ``came`` says it all.
        do: What the reader can do now; empty when nothing can be done.
    """

    exit_code = 1

    def __init__(self, came: str, *, expected: str = "", do: str = "") -> None:
        super().__init__(came)
        self.came = came
        self.expected = expected
        self.do = do

    def __str__(self) -> str:
        lines = [self.came]
        if self.expected:
            lines.append(f"expected: {self.expected}")
        if self.do:
            lines.append(f"do: {self.do}")
        return "\n".join(lines)

    def as_dictionary(self) -> dict[str, str]:
        """Return the parts for ``--json`` output."""
        return {"error": type(self).__name__, "came": self.came, "expected": self.expected, "do": self.do}


class UsageError(MakarError):
    """The request was wrong: nothing was started."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not in a table.

    Args:
        kind: What the name names, for example ``"recipe"``.
        name: The name that came.
        known: Every name that would have been accepted.
        do: What to do; by default the nearest known name is proposed.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, do: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        if not do and near:
            do = f'did you mean "{near[0]}"?'
        expected = "one of: " + ", ".join(names) if names else f"a {kind}; there is none yet"
        super().__init__(f'unknown {kind} "{name}"', expected=expected, do=do)
        self.kind = kind
        self.name = name
        self.nearest = near[0] if near else None


class UnsupportedError(UsageError):
    """A control or input that this model or medium cannot honour."""


class ConfigError(UsageError):
    """A configuration value of the wrong type or out of its range."""


class ConsentError(UsageError):
    """Somebody whose voice or face it is has not agreed to it, or does not agree any more."""


class AbsentAssetError(UsageError):
    """An asset that the library of this machine does not have, or no more."""


class DataError(MakarError):
    """Input that cannot be read or used."""


class EmptyDataError(DataError):
    """Nothing usable was found."""


class UnsafeArchiveError(DataError):
    """An archive with links, escaping paths, devices, or an expansion beyond the limits."""


class ArtifactError(MakarError):
    """A saved model that cannot be opened."""


class IntegrityError(ArtifactError):
    """A hash or a signature does not match the bytes."""


class TensorMismatchError(ArtifactError):
    """Tensors are missing, unexpected or of another shape; the message lists them."""


class RunError(MakarError):
    """A training that cannot go on."""


class RunLockedError(RunError):
    """Another process is writing this run."""


class OutOfSpaceError(RunError):
    """The disk is full."""


class OutOfMemoryError(RunError):
    """The smallest batch does not fit into memory."""


class DivergedError(RunError):
    """The loss is not finite even after rolling back to the last good state."""


class InterruptedRunError(RunError):
    """The run was stopped on request and saved; the message says how to go on."""

    exit_code = 130


class LibraryError(MakarError):
    """The library of what was made is busy, damaged, or cannot be written."""


class NewerLibraryError(LibraryError):
    """The library was written by a later version."""


class RemoteError(MakarError):
    """An endpoint that is down, slow, refuses the request, or answers what is no answer."""


class MissingExtraError(MakarError):
    """An optional dependency is absent.

    Args:
        package: The import name that is absent.
        extra: The name of the extra that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f'the optional package "{package}" is not installed', do=f"pip install 'makar[{extra}]'")


class CopyRefusedError(MakarError):
    """Every draw was closer to the training data than the limit allows."""

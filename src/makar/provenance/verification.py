"""What a verification says: one check a line, each passed, failed or unknown, in the order in which the chain is walked."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

Link = Literal["asset", "artifact", "run", "data", "parent"]
Status = Literal["ok", "failed", "unknown"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        link: Part of the chain that it belongs to.
        name: What was looked at.
        status: ``unknown`` means that it cannot be decided here; it neither proves nor disproves anything.
        detail: One sentence.
    """

    link: Link
    name: str
    status: Status
    detail: str

    def behind(self) -> "Check":
        """Return the check as one of the model that the artifact began from."""
        name = self.name if self.link == "parent" else f"{self.link} {self.name}"
        return dataclasses.replace(self, link="parent", name=name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """Every check of a file or folder and of what made it.

    Attributes:
        path: What was verified.
        checks: In the order of the chain, from the asset back to the data.
        manifest: The signed statement of the asset or artifact; ``None`` when there is none to trust.
    """

    path: Path
    checks: tuple[Check, ...]
    manifest: dict[str, Any] | None

    @property
    def is_intact(self) -> bool:
        """Whether nothing failed. What is unknown stays unknown: look at ``is_complete``."""
        return not any(check.status == "failed" for check in self.checks)

    @property
    def is_complete(self) -> bool:
        """Whether every check passed."""
        return all(check.status == "ok" for check in self.checks)

    @property
    def first_broken(self) -> Check | None:
        """The first check that failed, ``None`` when none did."""
        return next((check for check in self.checks if check.status == "failed"), None)

    def to_dictionary(self) -> dict[str, Any]:
        """Return plain values for ``--json``."""
        broken = self.first_broken
        return {
            "path": str(self.path),
            "intact": self.is_intact,
            "complete": self.is_complete,
            "first_broken": dataclasses.asdict(broken) if broken else None,
            "checks": [dataclasses.asdict(check) for check in self.checks],
            "manifest": self.manifest,
        }

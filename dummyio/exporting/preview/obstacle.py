"""The data of a diagnosis: what stops an export, and what a user has to know before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason that an export fails, or writes something that does not compute what the model computes."""

    kind: str
    """The area: ``"version"``, ``"format"``, ``"inputs"``, ``"memory"``, ``"mode"``, ``"state"``, ``"random"``, ``"value"``, ``"size"``,
    ``"operator"``, ``"trace"``."""

    message: str
    """What was found."""

    remedy: str = ""
    """What to do about it."""

    where: str = ""
    """The line of the model's own code, as ``file.py:12``; may be empty."""

    code: str = ""
    """The text of that line."""

    stops: bool = True
    """Whether it stops the export, or is only to be known."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON."""
        return {
            "kind": self.kind,
            "stops": self.stops,
            "message": self.message,
            "where": self.where,
            "code": self.code,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All obstacles of an export."""

    model: str
    """The name of the model's class."""

    framework: str
    format: str
    obstacles: tuple[Obstacle, ...]
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Package → installed version, of those that the export needs."""

    @property
    def blockers(self) -> tuple[Obstacle, ...]:
        """The obstacles that stop the export."""
        return tuple(obstacle for obstacle in self.obstacles if obstacle.stops)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that stops the export."""
        return not self.blockers

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis by name, for JSON."""
        return {
            "ok": self.ok,
            "model": self.model,
            "framework": self.framework,
            "format": self.format,
            "versions": dict(self.versions),
            "obstacles": [obstacle.to_dict() for obstacle in self.obstacles],
        }

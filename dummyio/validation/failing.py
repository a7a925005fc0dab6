"""The name under which scripts of failing cases that were saved earlier import `replay`; kept for them alone."""

from dummyio.validation.failing_cases import replay

__all__ = ["replay"]

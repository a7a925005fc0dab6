"""Validation: whether an exported model computes what its reference computes, at every size and in every state."""

from dummyio.validation.records import Case, Comparison, Finding, Outcome, Place, Tolerance
from dummyio.validation.report import Report
from dummyio.validation.validating import validate

__all__ = ["Case", "Comparison", "Finding", "Outcome", "Place", "Report", "Tolerance", "validate"]

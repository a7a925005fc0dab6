"""Validation: checks that an exported model computes what its reference computes, at all sizes and in all states."""

from dummyio.validation.data.records import Case, Comparison, Finding, Outcome, Place, Tolerance
from dummyio.validation.report.report import Report
from dummyio.validation.validate import validate

__all__ = ["Case", "Comparison", "Finding", "Outcome", "Place", "Report", "Tolerance", "validate"]

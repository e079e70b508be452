"""The ledgers here are real ones, too."""

from tests.contract.conftest import in_no_hurry

__all__ = ["in_no_hurry"]

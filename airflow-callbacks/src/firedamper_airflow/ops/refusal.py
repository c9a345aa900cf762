"""The one way to say no."""

from __future__ import annotations


class Refused(ValueError):
    """Bad input, or something that the author of the DAG did not allow. Whatever had begun is rolled back: nothing was changed."""

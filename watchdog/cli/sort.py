"""`--sort` of `status`."""

from enum import StrEnum


class Sort(StrEnum):
    """What the rows are ordered by; equal ones by urgency."""

    URGENCY = "urgency"
    NAME = "name"
    STATUS = "status"
    SINCE = "since"
    ATTEMPTS = "attempts"
    NEXT = "next"
    WHY = "why"

"""`--sort` of `status`."""

from enum import StrEnum


class Sort(StrEnum):
    """What the rows are ordered by. Rows that are equal in this are ordered by urgency."""

    URGENCY = "urgency"
    NAME = "name"
    STATUS = "status"
    SINCE = "since"
    ATTEMPTS = "attempts"
    NEXT = "next"
    WHY = "why"

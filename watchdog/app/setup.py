"""Why the program cannot start."""


class SetupError(Exception):
    """The program cannot start. One line: what is wrong, where, and what to do."""


class NoLedgerError(SetupError):
    """There is no ledger, and this process does not make one."""

"""How a stage ends: the exit codes a supervisor understands, and the exceptions that lead to them."""

from enum import IntEnum


class Exit(IntEnum):
    """0 together with a ``finished`` event is the only success; anything not named here is a crash."""

    DONE = 0
    STOPPED = 10
    INPUT = 20
    MEMORY = 30


class Stopped(Exception):
    """The stage was asked to stop and has saved what it could."""


class InputError(Exception):
    """The input is wrong, in a way the person can mend.

    ``code`` is a stable short name, ``message`` says what, ``where`` names file, page, row or field, ``mend`` what to do.
    """

    def __init__(self, code: str, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.where, self.mend = code, message, where, mend

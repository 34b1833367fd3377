"""What goes wrong with pairs, in words that a person can act on."""


class PairError(Exception):
    """A pair cannot be written or changed as asked. ``fields`` maps a field to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class PairChanged(PairError):
    """Somebody else changed the pair meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else changed this pair meanwhile. What they did is in its history; your words are still here. "
            "Send them again to put them in place of theirs."
        )

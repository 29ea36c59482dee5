"""What a user gave cannot be used: the one error class."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and what would be accepted."""

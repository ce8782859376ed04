"""The error that the command line tells in one line, without a traceback."""


class UserError(ValueError):
    """Something that the user can mend: the sentence names what and how."""

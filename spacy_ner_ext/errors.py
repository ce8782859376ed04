"""The error that the command line tells in one line, without a traceback."""

# What is quoted of another error.
MOST_CHARACTERS = 300


class UserError(ValueError):
    """Something that the user can mend: the sentence names what and how."""


def in_one_line(err: BaseException) -> str:
    """Quote another error in a sentence.

    err (BaseException): The error.
    RETURNS (str): The start of what it says, or its class if it says nothing.
    """
    return " ".join(str(err).split())[:MOST_CHARACTERS] or type(err).__name__

"""Errors that are told to a person, in one sentence, without a traceback."""


class UserError(Exception):
    """Something that the person at the keyboard can mend: the message says what is wrong, where, and what to do."""

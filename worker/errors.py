"""Errors that reach a person: what happened, where, and the next step.

``VigenciaError`` is the root; the command line prints it and exits with its ``exit_code``.
No message carries a secret, a full phone number or an email address.
"""


class VigenciaError(Exception):
    """Something a person must know of and can act on."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(VigenciaError):
    """A setting, policy, operator pack or template is wrong; nothing was started."""

    code = "config"


class UnreachableError(VigenciaError):
    """A server that is needed does not answer."""

    code = "unreachable"


class CardBookError(VigenciaError):
    """A card book cannot be read at all (rows that are wrong are reported row by row)."""

    code = "cardbook"

"""What goes wrong, by kind. Each message is one line that names the thing and, where two values disagree, both."""

__all__ = [
    "Error",
    "UsageError",
    "InputError",
    "FileError",
    "FormatError",
    "MismatchError",
    "UnsupportedError",
    "InternalError",
]


class Error(Exception):
    """Whatever fovea raises, but for what Python itself raises: ``TypeError`` for arguments of a wrong type, ``KeyboardInterrupt``."""


class UsageError(Error, ValueError):
    """A call or an option that makes no sense."""


class InputError(Error, ValueError):
    """A picture, a folder or a list that cannot be used."""


class FileError(Error, OSError):
    """The system refused to read, write or fetch."""


class FormatError(Error, ValueError):
    """A file's bytes are not what its format demands."""


class MismatchError(Error, ValueError):
    """Two things that must agree do not."""


class UnsupportedError(Error, ValueError):
    """Well-formed, but not something that fovea can do."""


class InternalError(Error, RuntimeError):
    """A mistake of fovea's own."""

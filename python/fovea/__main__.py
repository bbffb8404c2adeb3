"""``python -m fovea`` is the command ``fovea``."""

from ._command import main

main()

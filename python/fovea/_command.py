"""The command ``fovea``, which lies in the package. It takes the place of this process."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "fovea")
    os.execv(program, ["fovea", *sys.argv[1:]])

"""Progress in a terminal or a notebook: one line on standard error that is written over."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Literal, Union

# What is called with (done, total).
Progress = Union[Callable[[int, int], Any], Literal["auto"], None]


def shown() -> bool:
    """Whether somebody looks: standard error is a terminal, or this is a notebook."""
    return "ipykernel" in sys.modules or bool(getattr(sys.stderr, "isatty", lambda: False)())


def duration(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    text = f"{minutes:02d}:{whole % 60:02d}"
    return f"{hours}:{text}" if hours else text


class Bar:
    """A line as tqdm's: share, bar, count, time gone and left, rate."""

    def __init__(self, title: str, unit: str = "it") -> None:
        self.title, self.unit = title, unit
        self.began = self.last = time.monotonic()
        self.width = 0

    def __call__(self, done: int, total: int, words: str = "") -> None:
        now = time.monotonic()
        if done < total and now - self.last < 0.1:
            return
        self.last = now
        gone = now - self.began
        share = done / total if total else 0.0
        left = duration(gone * (1 - share) / share) if share > 0 else "?"
        rate = f"{done / gone:.2f}{self.unit}/s" if gone > 0 and done else f"?{self.unit}/s"
        filled = int(20 * share)
        line = f"{self.title}: {share:4.0%}|{'█' * filled}{' ' * (20 - filled)}| {done}/{total} [{duration(gone)}<{left}, {rate}{words}]"
        self.write(line)

    def write(self, line: str) -> None:
        sys.stderr.write("\r" + line.ljust(self.width))
        sys.stderr.flush()
        self.width = len(line)

    def clear(self) -> None:
        if self.width:
            sys.stderr.write("\r" + " " * self.width + "\r")
            sys.stderr.flush()
            self.width = 0


class Watched:
    """``progress`` as a caller gave it, for one call: a bar for "auto" where somebody looks."""

    def __init__(self, progress: Progress, title: str, unit: str = "it") -> None:
        self.bar = Bar(title, unit) if progress == "auto" and shown() else None
        self.callback: Callable[..., Any] | None = self.bar if progress == "auto" else progress  # type: ignore[assignment]

    def __enter__(self) -> Callable[..., Any] | None:
        return self.callback

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.clear()

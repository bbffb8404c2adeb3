"""Networks as tables."""

from __future__ import annotations

import html
from typing import Any, List

from . import _core

Bench = _core.BenchResult


def _count(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"


class Summary:
    """What a network is made of and what it costs; attributes are those of the C++ interface's ``Summary``."""

    def __init__(self, core: _core.Summary) -> None:
        self._core = core

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._core, name)

    def _rows(self) -> List[List[str]]:
        rows = [["stage", "shape", "stride", "parameters", "multiply-adds", "inference", "training"]]
        for stage in self._core.stages:
            shape = "x".join(str(side) for side in stage.shape)
            stride = f"{stage.stride:g}" if stage.stride else ""
            memory = [_count(stage.inference_bytes) + "B", _count(stage.training_bytes) + "B"]
            rows.append([stage.name, shape, stride, _count(stage.parameters), _count(stage.multiply_adds), *memory])
        total = [_count(self._core.inference_bytes) + "B", _count(self._core.training_bytes) + "B"]
        rows.append(["total", "", "", _count(self._core.parameters), _count(self._core.multiply_adds), *total])
        return rows

    def _title(self) -> str:
        c = self._core
        return f"{c.model}, {c.height}x{c.width}, {c.classes} classes"

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))) for row in rows]
        return "\n".join([self._title(), *(line.rstrip() for line in lines)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(row: List[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

        rows = self._rows()
        body = "".join(line(row, "td") for row in rows[1:])
        return f"<table><caption>{html.escape(self._title())}</caption><thead>{line(rows[0], 'th')}</thead><tbody>{body}</tbody></table>"

"""make_settings.py FOLDER: writes FOLDER/_settings.pyi, the keywords of fovea.train with their types, from what FOLDER/_core has."""

import sys
from pathlib import Path

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
import _core  # type: ignore[import-not-found]  # noqa: E402

SHAPING = {
    "fit": "str",
    "alpha": 'Literal["white", "drop"]',
    "decode": 'Literal["exact", "fast"]',
    "range": "str | tuple[float, float]",
    "page": "int",
    "size": "int | tuple[int, int]",
}


def type_of(setting: object) -> str:
    if not setting.type:
        return "bool"
    if setting.choices:
        return f"Literal[{', '.join(repr(choice) for choice in setting.choices)}]"
    if setting.size:
        return "int | str"
    if setting.type in ("N", "K"):
        return "int"
    if setting.ranged:
        return "float"
    return 'str | "os.PathLike[str]"' if setting.type == "DIR" else "str"


types: dict[str, str] = {}
for setting in _core.train_settings():
    name = setting.name.removeprefix("no-").replace("-", "_")
    types[name] = f"{types[name]} | {type_of(setting)}" if name in types else type_of(setting)
lines = [f"    {name}: {kind} | None" for name, kind in (types | SHAPING).items()]
text = "import os\nfrom typing import Literal, TypedDict\n\nclass TrainSettings(TypedDict, total=False):\n" + "\n".join(lines) + "\n"
(folder / "_settings.pyi").write_text(text)

"""What comes in and goes out: arrays as the caller has them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, List, Sequence, Union

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

# A path, the bytes of a file, a PIL picture, or 8-bit pixels [height, width, 3] (or [height, width]) of NumPy, torch or another library
# that knows DLPack.
Picture = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Any]


def is_tensor(array: Any) -> bool:
    """Whether this is torch's, without importing it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def as_given(result: Any, given: Any) -> Any:
    """An array of ours as the caller's library has it: torch's tensors for torch's, on the same memory."""
    return sys.modules["torch"].from_numpy(result) if is_tensor(given) else result


def is_batch(pictures: Any) -> bool:
    """Whether these are prepared pictures, floats [N, channels, height, width]."""
    return getattr(pictures, "ndim", 0) == 4 and "float" in str(getattr(pictures, "dtype", ""))


def as_list(pictures: Any) -> List[Any] | None:
    """Several pictures as a list; None for one."""
    if isinstance(pictures, (str, bytes, bytearray, memoryview, os.PathLike)):
        return None
    if getattr(pictures, "ndim", 0) == 4:
        return list(pictures)
    if hasattr(pictures, "ndim") and getattr(pictures, "dtype", None) == object:
        return list(pictures)
    if hasattr(pictures, "__array_interface__") or hasattr(pictures, "__dlpack__") or hasattr(pictures, "getexif"):
        return None
    return list(pictures)


def mapped(names: Sequence[str], arrays: Any, given: Any) -> Any:
    return {name: as_given(arrays[name], given) for name in names}

"""Reading and writing safetensors files, with the header checked before any tensor is touched.

The format (Hugging Face safetensors 0.8): eight bytes with the length of a JSON header, the header, the data. Checked here: the
header is not longer than 100 MB or the file, every tensor is of a known type, its bytes are exactly what its shape needs, and together
they cover the data without gap or overlap. The library checks most of it too; this check names the tensor and comes before it.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from makar.errors import IntegrityError

LARGEST_HEADER_BYTES = 100 << 20
ELEMENT_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file; tensors that share memory are written each."""
    independent = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    path.touch()
    mode = path.stat().st_mode
    safetensors.torch.save_file(independent, path, metadata={"format": "pt"})
    # The library makes a file for its owner alone, and a model is there to be shared.
    path.chmod(mode)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Check a safetensors file and read every tensor into memory.

    Raises:
        IntegrityError: The header or the sizes are wrong.
    """
    check_header(path)
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(f"{path.name} cannot be read: {error}", do="get the model again") from error


def check_header(path: Path) -> dict[str, int]:
    """Check the header of a safetensors file against the file's size, without reading the data.

    Returns:
        The number of elements of every tensor.

    Raises:
        IntegrityError: Something does not fit; the message names it.
    """
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if len(start) < 8:
                raise IntegrityError(f"{path.name} is cut off", expected="at least 8 bytes")
            (length,) = struct.unpack("<Q", start)
            if length > min(LARGEST_HEADER_BYTES, total - 8):
                raise IntegrityError(
                    f"{path.name} has a header of {length} bytes",
                    expected=f"at most {min(LARGEST_HEADER_BYTES, total - 8)}",
                )
            header = json.loads(file.read(length).decode("utf-8"))
    except OSError as error:
        raise IntegrityError(f"{path.name} is missing or cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"the header of {path.name} is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise IntegrityError(f"the header of {path.name} is no table of tensors")
    spans = []
    elements = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end, elements[name] = _check_entry(path.name, name, entry)
        spans.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise IntegrityError(f'tensor "{name}" of {path.name} leaves a gap or overlaps another')
        position = end
    if position != total - 8 - length:
        raise IntegrityError(f"{path.name} has {total - 8 - length} bytes of data", expected=f"{position}")
    return elements


def _check_entry(file_name: str, name: str, entry: Any) -> tuple[int, int, int]:
    wrong = IntegrityError(f'tensor "{name}" of {file_name} has a wrong header entry: {str(entry)[:200]}')
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise wrong
    shape, offsets, size = entry["shape"], entry["data_offsets"], ELEMENT_BYTES.get(str(entry["dtype"]))
    if size is None or not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        raise wrong
    if any(type(number) is not int or number < 0 for number in [*shape, *offsets]) or len(shape) > 32:
        raise wrong
    count = math.prod(shape)
    if offsets[1] - offsets[0] != count * size:
        raise wrong
    return offsets[0], offsets[1], count

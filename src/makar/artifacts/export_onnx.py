"""A model as ONNX files that give the same numbers in onnxruntime, with a description of how to sample from them.

Each network of the family becomes one ``.onnx`` file (torch's exporter by ``torch.export``). It is run in onnxruntime on the example
inputs and again with every free axis at another size, and refused when any output differs from torch by more than 1e-4 of
the larger of 1 and the largest output. ``onnx.json`` names inputs, outputs, free axes and the difference found. The tensors lie beside in
``model.safetensors`` under their saved names, because the exporter renames and folds weights; ``import_artifact`` reads those and then
checks that the ONNX files still agree with them.
"""

import contextlib
import importlib.util
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from makar.artifacts.artifact import Artifact
from makar.artifacts.folders import write_file
from makar.errors import ArtifactError, MissingExtraError
from makar.families.family import Family, OnnxPart

SCHEMA = 1
DESCRIPTION_NAME = "onnx.json"
TOLERANCE = 1e-4
OPSET = 20
# A file of the protocol buffers that ONNX is made of ends at 2 GB; larger weights go beside it.
LARGEST_INLINE_BYTES = 1_800_000_000
SAMPLING = {
    "transformer": (
        "Feed the tokens so far as int64 [batch, length]; begin with the end token alone. The logits at the last position, divided by the "
        "temperature and put through a softmax, are the probabilities of the next token. Draw one, append it, repeat until the end "
        "token. codec/tokenizer.json turns tokens into text."
    ),
    "image-transformer": (
        "text is a row of tokens: with classes first the class (size of the caption vocabulary, at least 1, plus its number; the "
        "number of classes means none), with captions then the tokens of codec/base_caption_tokenizer.json plus 2 (a 1 alone means no "
        "caption), last a 0. image is the grid of image tokens row by row, zeros where nothing is drawn yet. The logits at place n, "
        "divided by the temperature and put through a softmax, are the probabilities of token n: draw it, put it there, go on with the "
        "next. The decode network of the autoencoder beside it turns the grid into an image."
    ),
    "sound-transformer": (
        "text is a row of tokens: with classes first the class (size of the caption vocabulary, at least 1, plus its number; the "
        "number of classes means none), with captions then the tokens of the caption plus 2 (a 1 alone means no caption), last a 0. "
        "steps holds the tokens of every codebook, each row later by its number, the number of codes where a row has not begun or has "
        "ended. guide holds coarser tokens or the leading notes; the number of its codes means that it is hidden. The logits of codebook "
        "k at step n, divided by the temperature and put through a softmax, are the probabilities of its token at step n: draw it, put "
        "it there, go on with the next. The decode network of the autoencoder beside it turns the rows, moved back, into a picture of "
        "bands of pitch."
    ),
    "sound-vqvae": (
        "encode gives the tokens of a picture of bands of pitch in -1..1, a row a codebook; decode the picture of tokens. New tokens come "
        "from another model."
    ),
    "captioner": (
        "reader turns an image in -1..1 into vectors. Give decoder these and a row of tokens that begins with a 1; the logits at the last "
        "position say the next token: take the likeliest but 1, append it, repeat until it is 0. Tokens minus 2 are those of "
        "codec/caption_tokenizer.json."
    ),
    "diffusion": (
        "Draw a point from a normal distribution, float32 [batch, channels, height, width]. Walk from time 0 (noise) to time 1 (image): "
        "point = point + (next_time - time) * velocity(point, time). 20 to 50 equal steps of this (Euler) work. "
        "A label equal to the number of classes means no class. A caption is a row of tokens of "
        "codec/caption_tokenizer.json plus 2, filled up with 0; a 1 and zeros mean no caption. "
        "The result is in -1..1: (point + 1) * 127.5 gives pixels."
    ),
    "vae": (
        "Draw the latents of decode from a normal distribution, float32; the image is in -1..1: (image + 1) * 127.5 gives pixels. "
        "encode gives the mean latents of an image in the same order."
    ),
    "vqvae": (
        "encode gives the tokens of an image in -1..1, decode the image of tokens: (image + 1) * 127.5 gives pixels. New tokens come from "
        "another model."
    ),
    "dcgan": (
        "Draw a latent from a normal distribution, float32 [batch, width], and, with classes, a label. The image is in -1..1: "
        "(image + 1) * 127.5 gives pixels."
    ),
    "stylegan": (
        "Draw a latent from a normal distribution, float32 [batch, width], and, with classes, a label; the mapping turns it into a style. "
        "Give the synthesis that style once a layer (other styles for later layers mix two images; styles nearer to their mean are more "
        "typical) and normal noise. Clip the image to -1..1: (image + 1) * 127.5 gives pixels."
    ),
}


def write_onnx(artifact: Artifact, folder: Path) -> None:
    """Write and check one file a network, and the description.

    Raises:
        MissingExtraError: onnx, onnxruntime or onnxscript is absent.
        ArtifactError: A network cannot be exported, or its outputs differ.
    """
    require_onnx()
    # The example inputs, and onnxruntime, are on the processor.
    described = write_family(artifact.family("cpu"), folder, component="")
    for name, stage in artifact.components().items():
        described += write_family(stage.family, folder, component=name)
    kind = artifact.header["family"]["kind"]
    description = {
        "schema": SCHEMA,
        "artifact": artifact.hash,
        "medium": artifact.medium,
        "parts": described,
        "tolerance": TOLERANCE,
        "how_to_sample": SAMPLING.get(kind, f"see the documentation of family {kind}"),
        "family": artifact.header["family"],
        "codec": artifact.header["codec"],
    }
    write_file(folder, DESCRIPTION_NAME, json.dumps(description, indent=1, ensure_ascii=False).encode("utf-8"))


def write_family(family: Family, folder: Path, *, component: str) -> list[dict[str, Any]]:
    """Write every network of a family, check each against torch at other sizes too, and return their descriptions.

    Args:
        family: The family, loaded, on the processor.
        folder: Where the files go.
        component: Name of the component that the family is; empty for the model itself.

    Raises:
        ArtifactError: A network cannot be exported, or its outputs differ.
    """
    described = []
    for part in family.onnx_parts():
        file = part_file(part, component)
        _export_part(part, folder / file)
        entry: dict[str, Any] = {"component": component} if component else {}
        entry |= {
            "name": part.name,
            "file": file,
            "inputs": [_describe_input(part, name, tensor) for name, tensor in part.inputs.items()],
            "outputs": list(part.outputs),
            "largest_difference": check_part(part, folder / file),
        }
        described.append(entry)
    return described


def part_file(part: OnnxPart, component: str) -> str:
    """Return the file of a network; those of a component begin with its name."""
    return f"{component}-{part.name}.onnx" if component else f"{part.name}.onnx"


def require_onnx() -> None:
    """Check that the packages for ONNX are there.

    Raises:
        MissingExtraError: One is absent; the message has the install command.
    """
    for package in ("onnx", "onnxruntime", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="onnx")


def check_family(family: Family, folder: Path, *, component: str = "") -> None:
    """Check that every ONNX file in a folder gives the numbers of a family.

    Args:
        family: The family, loaded.
        folder: Where the files are.
        component: Name of the component that the family is; empty for the model itself.

    Raises:
        ArtifactError: A file is missing, cannot be run, or differs.
    """
    require_onnx()
    for part in family.onnx_parts():
        check_part(part, folder / part_file(part, component))


def check_part(part: OnnxPart, path: Path) -> float:
    """Compare a network in onnxruntime with torch, on the example inputs and with each free axis at another size.

    Returns:
        The largest difference, as a share of the larger of 1 and the largest output.

    Raises:
        ArtifactError: The file cannot be run or differs by more than the tolerance.
    """
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    quiet.intra_op_num_threads = 1
    worst = 0.0
    try:
        session = onnxruntime.InferenceSession(path, quiet, providers=["CPUExecutionProvider"])
        for inputs, expected in _trials(part):
            found = session.run(list(part.outputs), {name: tensor.numpy() for name, tensor in inputs.items()})
            for name, one, other in zip(part.outputs, found, expected, strict=True):
                worst = max(worst, _difference(f"{path.name} output {name}", np.asarray(one), other.numpy()))
    except ArtifactError:
        raise
    except Exception as error:  # onnxruntime's own errors share no public class
        raise ArtifactError(f"{path.name} cannot be run in onnxruntime: {str(error)[:500]}") from error
    return worst


def _difference(what: str, found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        raise ArtifactError(f"{what} has shape {list(found.shape)}", expected=str(list(expected.shape)))
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    worst = float(np.abs(found.astype(np.float64) - expected).max(initial=0.0)) / scale
    # NaN fails every comparison, so the accepted side is asked for.
    if not worst <= TOLERANCE:
        raise ArtifactError(f"{what} differs by {worst:.2g} from the model", expected=f"at most {TOLERANCE:g}")
    return worst


def _trials(part: OnnxPart) -> Iterator[tuple[dict[str, Tensor], list[Tensor]]]:
    inputs = dict(part.inputs)
    yield inputs, _outputs(part.module, inputs)
    axes = {axis for named in part.dynamic.values() for axis in named.values()}
    for axis in sorted(axes):
        yield _other_size(part, inputs, axis)


def _other_size(part: OnnxPart, inputs: dict[str, Tensor], axis: str) -> tuple[dict[str, Tensor], list[Tensor]]:
    failure: Exception | None = None
    # One more suits most axes; one that must stay even, or is already the longest, takes another.
    for change in (lambda size: size + 1, lambda size: 2 * size, lambda size: size - 1):
        changed = {
            name: _resized(
                tensor, {number: change for number, named in part.dynamic.get(name, {}).items() if named == axis}
            )
            for name, tensor in inputs.items()
        }
        try:
            return changed, _outputs(part.module, changed)
        except (RuntimeError, ValueError, IndexError) as error:
            failure = error
    raise ArtifactError(f'axis "{axis}" of {part.name} is not free: the model itself refuses other sizes') from failure


def _resized(tensor: Tensor, changes: Mapping[int, Any]) -> Tensor:
    for number, change in changes.items():
        index = torch.arange(change(tensor.shape[number])) % tensor.shape[number]
        tensor = tensor.index_select(number, index)
    return tensor


def _outputs(module: nn.Module, inputs: dict[str, Tensor]) -> list[Tensor]:
    with torch.no_grad():
        made = module(*inputs.values())
    return [tensor.float() for tensor in (made if isinstance(made, tuple | list) else (made,))]


def _describe_input(part: OnnxPart, name: str, tensor: Tensor) -> dict[str, Any]:
    named = part.dynamic.get(name, {})
    axes = [named.get(number, size) for number, size in enumerate(tensor.shape)]
    return {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "axes": axes}


def _export_part(part: OnnxPart, path: Path) -> None:
    shapes = {name: dict(part.dynamic.get(name, {})) for name in part.inputs}
    size = sum(tensor.numel() * tensor.element_size() for tensor in part.module.state_dict().values())
    try:
        # With gradients on, networks take the paths that training needs, which cannot be traced for every size.
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                part.module.eval(),
                tuple(part.inputs.values()),
                path,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                dynamic_shapes=tuple(shapes.values()),
                opset_version=OPSET,
                dynamo=True,
                external_data=size > LARGEST_INLINE_BYTES,
                verbose=False,
            )
    except Exception as error:  # the exporter raises classes of many libraries
        raise ArtifactError(f"{part.name} cannot be exported: {str(error)[:800]}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The exporter warns of its own dependencies and prints its progress; the check in onnxruntime is what counts.
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            for category in (DeprecationWarning, FutureWarning, UserWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)

"""Features of the Inception network whose weights lie in a file, for figures that can be compared with published ones.

Taken are the weights of 2015 that FID is defined by, as PyTorch programs carry them (``pt_inception-2015-12-05``, 1008 outputs), and those
for the classes of ImageNet (1000 outputs, with or without the auxiliary head), which is another network and named so. Nothing is
downloaded, and a pickle is not opened. Images are brought to 299 pixels a side bilinearly without antialiasing and to -1..1, as
pytorch-fid does; the classes of the Inception Score are taken without the bias of the last layer, as torch-fidelity and torchmetrics do.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from makar.artifacts.tensors import read_tensors
from makar.codecs.image_fit import with_channels
from makar.errors import ArtifactError, TensorMismatchError, UsageError
from makar.evaluation.inception_network import FID_CLASSES, IMAGENET_CLASSES, SIDE, InceptionV3
from makar.families.family import unfit_tensors

BATCH = 16
COUNTERS = ".num_batches_tracked"
"""Counters of training that some programs save; they change nothing."""
AUXILIARY = "AuxLogits."
"""The second head of the ImageNet form, which is only there for training."""

CONVERT = (
    "python -c \"import torch, safetensors.torch as s; t = torch.load('FILE.pth', weights_only=True); "
    "s.save_file({k: v.contiguous() for k, v in t.items()}, 'FILE.safetensors')\""
)


class InceptionExtractor:
    """The network of a file.

    Args:
        network: With its weights, in evaluation mode.
        content_hash: sha256 of the file.
    """

    accuracy: float | None = None

    def __init__(self, network: InceptionV3, content_hash: str) -> None:
        self._network = network
        self.hash = content_hash
        self.is_standard = network.fc.out_features == FID_CLASSES
        self.task = "ImageNet classes"

    @property
    def name(self) -> str:
        """``Inception`` for the weights that FID is defined by, otherwise ``InceptionV3-ImageNet[hash8]``."""
        return f"Inception[{self.hash[:8]}]" if self.is_standard else f"InceptionV3-ImageNet[{self.hash[:8]}]"

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return float64 ``[batch, 2048]`` of uint8 ``[batch, channels, height, width]``."""
        return self._in_parts(images, lambda found: found)

    def class_probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return p(class | image), float64 ``[batch, 1008 or 1000]``."""
        return self._in_parts(images, lambda found: (found @ self._network.fc.weight.T).softmax(1))

    def _in_parts(self, images: np.ndarray, last: Callable[[Tensor], Tensor]) -> np.ndarray:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                found = self._network(prepared(images[start : start + BATCH]))
                parts.append(last(found).double().numpy())
        return np.concatenate(parts)


def read_inception(path: Path) -> InceptionExtractor:
    """Read the weights of the Inception network.

    Args:
        path: A safetensors file with the tensors of the FID network or of the one for ImageNet, under their usual names.

    Raises:
        UsageError: There is no such file.
        ArtifactError: It is a pickle or no safetensors file.
        TensorMismatchError: Tensors are missing, foreign or of another shape; the message lists them.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", expected="a safetensors file with the weights of Inception-v3")
    content = path.read_bytes()
    # A zip archive or the protocol bytes of a pickle: what torch.save writes.
    if content[:2] == b"PK" or content[:1] == b"\x80":
        raise ArtifactError(
            f"{path.name} is a pickle, which can run any program when it is opened",
            expected="the same tensors as a safetensors file",
            do=f"convert it once, where you trust it: {CONVERT}",
        )
    tensors = {
        name: tensor
        for name, tensor in read_tensors(path).items()
        if not name.endswith(COUNTERS) and not name.startswith(AUXILIARY)
    }
    head = tensors.get("fc.weight")
    classes = IMAGENET_CLASSES if head is not None and head.shape[0] == IMAGENET_CLASSES else FID_CLASSES
    network = InceptionV3(classes)
    _check(path.name, tensors, network)
    network.load_state_dict(tensors, strict=False)
    return InceptionExtractor(network.eval(), hashlib.sha256(content).hexdigest())


def prepared(images: np.ndarray) -> Tensor:
    """Return uint8 ``[batch, channels, height, width]`` as the network sees them: three channels, 299 a side, -1..1."""
    colour = np.stack([with_channels(image.transpose(1, 2, 0), 3).transpose(2, 0, 1) for image in np.asarray(images)])
    values = torch.from_numpy(colour).float() / 255
    if tuple(values.shape[2:]) != (SIDE, SIDE):
        values = functional.interpolate(values, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return values * 2 - 1


def _check(name: str, tensors: dict[str, Tensor], network: InceptionV3) -> None:
    own = {key: value for key, value in network.state_dict().items() if not key.endswith(COUNTERS)}
    if problems := unfit_tensors(own, tensors):
        raise TensorMismatchError(
            f"the tensors of {name} do not fit Inception-v3:\n  " + "\n  ".join(problems),
            expected="those of pt_inception-2015-12-05 or of the ImageNet network, under their own names",
            do="convert the weights again, without renaming",
        )

"""The U-Net of a pipeline as one plain network, for ONNX: latents, time and words to what it predicts."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from makar.families.family import OnnxPart


class PlainDenoiser(nn.Module):
    """A U-Net whose adapter is part of its weights.

    Args:
        unet: Of diffusers, in float32, with or without an adapter.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = copy.deepcopy(unet).float().cpu().eval()
        for module in list(self.unet.modules()):
            for name, child in list(module.named_children()):
                if type(child).__module__.startswith("peft."):
                    child.merge()
                    setattr(module, name, child.get_base_layer())

    def forward(self, latents: Tensor, time: Tensor, words: Tensor) -> Tensor:
        made: tuple[Tensor, ...] = self.unet(latents, time, encoder_hidden_states=words, return_dict=False)
        return made[0]

    @classmethod
    def part(cls, unet: Any) -> OnnxPart:
        """Return the network with inputs of its own size."""
        config = unet.config
        side = config.sample_size if isinstance(config.sample_size, int) else 8
        inputs = {
            "latents": torch.zeros(2, config.in_channels, side, side),
            "time": torch.full((2,), 500.0),
            "words": torch.zeros(2, 4, config.cross_attention_dim),
        }
        return OnnxPart(
            name="denoiser",
            module=cls(unet),
            inputs=inputs,
            outputs=("predicted",),
            dynamic={name: {0: "batch"} for name in inputs},
        )

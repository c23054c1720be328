"""Pictures in pure black and white: grey, scaled, cut at a threshold; the model's greys are cut at the middle."""

import numpy as np
from PIL import Image

from makar.codecs.codec import Codec
from makar.tensor_spec import TARGET, Slot, TensorSpec


class BilevelCodec(Codec):
    """Turns pictures into one channel of black and white."""

    def __init__(self, config):
        self.config = config

    @classmethod
    def fit(cls, config, records):
        """Learn nothing: the settings say everything."""
        return cls(config)

    @classmethod
    def from_files(cls, config, files):
        """Rebuild the codec from its settings."""
        return cls(config)

    def files(self):
        """Return no files."""
        return {}

    @property
    def spec(self):
        """One picture of one channel between -1 and 1."""
        sizes = (1, self.config.side, self.config.side)
        return TensorSpec({TARGET: Slot(kind="values", axes=("channels", "height", "width"), sizes=sizes)})

    def encode(self, record):
        """Return 0 or 255 for every pixel, uint8 ``[1, side, side]``."""
        pixels = record.content[:, :, :3].mean(axis=2).round().astype(np.uint8)
        grey = np.asarray(Image.fromarray(pixels).resize((self.config.side, self.config.side)))
        return {TARGET: np.where(grey >= self.config.threshold, 255, 0).astype(np.uint8)[None]}

    def to_model(self, slot, values):
        """Turn 0 and 255 into -1 and 1."""
        return values.astype(np.float32) / 127.5 - 1.0

    def decode(self, slots):
        """Return black or white for every pixel, uint8 ``[side, side, 1]``."""
        return np.where(slots[TARGET] >= 0, 255, 0).astype(np.uint8).transpose(1, 2, 0)

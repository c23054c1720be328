"""Fixed vectors, and what torchmetrics 1.9.0 says of them.

The reference values were computed once, in an environment of its own with torchmetrics 1.9.0 (Apache-2.0) on torch 2.13.0, which this
project does not depend on: ``FrechetInceptionDistance`` and ``InceptionScore`` with an identity as feature network and in float64,
``poly_mmd`` of ``torchmetrics.image.kid`` with its default kernel, which takes sets of one size only. ``InceptionScore`` shuffles before
it splits; for the value with four splits ``torch.randperm`` was replaced by the order as it is. The vectors come from whole numbers, so
that no generator has to stay the same.
"""

import numpy as np

FID = 0.38328731616711487
"""Of ``SAMPLES`` and ``REAL``; its sums are kept in float32."""
KID = 0.041368215306554434
"""Of ``SAMPLES`` and the first 60 of ``REAL``."""
INCEPTION_SCORE = 2.611116495604947
"""Of ``LOGITS`` in one split."""
INCEPTION_SCORE_4 = 2.46496131015077
INCEPTION_DEVIATION_4 = 0.13008596466582162


def fixed_vectors(items, features, shift):
    """Return float64 ``[items, features]`` in -0.5..0.5."""
    row, column = np.arange(items)[:, None], np.arange(features)
    whole = row * row * 131 + row * column * 71 + column * column * 37 + shift * (row + 1) * (column + 3)
    return whole % 1009 / 1009 - 0.5


SAMPLES = fixed_vectors(60, 12, 3)
REAL = fixed_vectors(80, 12, 5) * 1.2 + 0.1
LOGITS = fixed_vectors(60, 10, 7) * 8

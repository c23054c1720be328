"""Where a finished model works: the CUDA device when there is one, otherwise the processor."""

import torch


def working_device() -> torch.device:
    """Return the device on which a saved model samples and is measured."""
    return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")

"""Small networks work on one thread, and the caller's number is back afterwards."""

import pytest
import torch

from makar.nn.threads import SMALL_PARAMETERS, threads_for


@pytest.mark.parametrize(
    ("parameters", "convolutional", "expected"),
    [(SMALL_PARAMETERS, False, 1), (SMALL_PARAMETERS + 1, False, 2), (1000, True, 2)],
)
def test_threads_follow_the_model_and_return(parameters: int, convolutional: bool, expected: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError), threads_for(parameters, convolutional=convolutional):
            assert torch.get_num_threads() == expected
            raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

"""The exported ONNX graph computes the same logits for any batch and length."""

import numpy as np
import pytest
import torch

from makar.families.transformer.config import TransformerConfig
from makar.families.transformer.family import TransformerFamily

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own dependencies
@pytest.mark.parametrize("layout", [pytest.param("mainstream", marks=pytest.mark.slow), "compact"])
def test_onnx_computes_the_same_logits(layout, tmp_path):
    config = TransformerConfig(layout=layout, vocabulary=40, context=64, depth=2, width=32, heads=4, key_value_heads=2)
    family = TransformerFamily(config)
    generator = torch.Generator().manual_seed(0)
    family.initialise(generator)
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    (part,) = family.onnx_parts()
    names = {
        name: {axis: torch.export.Dim(label) for axis, label in axes.items()} for name, axes in part.dynamic.items()
    }
    path = tmp_path / "model.onnx"
    program = torch.onnx.export(
        part.module,
        tuple(part.inputs.values()),
        input_names=list(part.inputs),
        output_names=list(part.outputs),
        dynamic_shapes=names,
        dynamo=True,
        verbose=False,
    )
    program.save(path)
    session = onnxruntime.InferenceSession(path)
    for batch, length in ((1, 1), (3, 64), (2, 17)):
        tokens = torch.randint(0, 40, (batch, length), generator=generator)
        with torch.no_grad():
            expected = family.network(tokens).numpy()
        (found,) = session.run(None, {"tokens": tokens.numpy()})
        assert np.abs(found - expected).max() < 1e-4
    assert np.abs(expected).mean() > 0.1

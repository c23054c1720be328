"""The Inception network takes exactly the tensors of the usual files, and nothing but safetensors."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from makar.errors import ArtifactError, TensorMismatchError, UsageError
from makar.evaluation.inception import prepared, read_inception
from makar.evaluation.inception_network import FID_CLASSES, IMAGENET_CLASSES, InceptionV3


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return InceptionV3(FID_CLASSES).eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    save_file(network.state_dict(), path)
    return path


def test_it_has_the_size_that_is_published():
    # 23.8 million without the auxiliary head; the file for ImageNet has 27.2 with it.
    with torch.device("meta"):
        found = InceptionV3(IMAGENET_CLASSES)
    assert sum(value.numel() for value in found.parameters()) == 23_834_568


def test_a_file_gives_features_and_probabilities_of_any_images(weights, network):
    extractor = read_inception(weights)
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), dtype=np.uint8)
    features, probabilities = extractor.features(images), extractor.class_probabilities(images)
    assert features.shape == (2, 2048) and probabilities.shape == (2, 1008)
    assert probabilities.sum(1) == pytest.approx([1, 1])
    with torch.inference_mode():
        assert features == pytest.approx(network(prepared(images)).double().numpy(), abs=1e-6)
    assert extractor.name == f"Inception[{extractor.hash[:8]}]" and extractor.is_standard


def test_the_border_does_not_count_in_the_form_for_fid():
    from makar.evaluation.inception_network import Mixed

    ones = torch.ones(1, 4, 5, 5)
    means = []
    for counts in (True, False):
        block = Mixed(4, (), pool="average", pooled=0, counts_border=counts)
        means.append(block(ones)[0, 0, 0, 0].item())
    assert means == pytest.approx([4 / 9, 1])


def test_images_are_seen_in_colour_from_minus_one_to_one_at_the_size_of_the_network():
    grey = np.array([0, 255], np.uint8).reshape(1, 1, 1, 2).repeat(4, 2)
    seen = prepared(grey)
    assert seen.shape == (1, 3, 299, 299) and (float(seen.min()), float(seen.max())) == pytest.approx((-1, 1), abs=1e-6)
    clear = np.zeros((1, 4, 8, 8), np.uint8)
    assert prepared(clear).numpy() == pytest.approx(1, abs=1e-6)


def test_tensors_that_do_not_fit_are_listed(network, tmp_path):
    tensors = dict(network.state_dict())
    tensors["Mixed_9z.conv.weight"] = torch.zeros(1)
    del tensors["Mixed_5b.branch1x1.conv.weight"]
    tensors["Conv2d_1a_3x3.conv.weight"] = torch.zeros(32, 1, 3, 3)
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(TensorMismatchError) as caught:
        read_inception(tmp_path / "other.safetensors")
    message = str(caught.value)
    assert "missing: Mixed_5b.branch1x1.conv.weight" in message and "unexpected: Mixed_9z.conv.weight" in message
    assert "Conv2d_1a_3x3.conv.weight is (32, 1, 3, 3) instead of (32, 3, 3, 3)" in message


def test_weights_for_imagenet_are_taken_with_their_auxiliary_head_and_named_otherwise(tmp_path):
    tensors = dict(InceptionV3(IMAGENET_CLASSES).state_dict())
    tensors["AuxLogits.fc.bias"] = torch.zeros(1000)
    save_file(tensors, tmp_path / "imagenet.safetensors")
    extractor = read_inception(tmp_path / "imagenet.safetensors")
    assert not extractor.is_standard and extractor.name.startswith("InceptionV3-ImageNet[")


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip of torch.save", b"\x80\x02}q\x00."])
def test_a_pickle_is_refused_with_what_to_do(content, tmp_path):
    path = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="pickle") as caught:
        read_inception(path)
    assert "save_file" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        read_inception(tmp_path / "nowhere.safetensors")

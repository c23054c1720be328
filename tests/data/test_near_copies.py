"""Near copies: signatures estimate similarity as theory and a reference implementation say; hashes find what looks alike."""

import numpy as np
import pytest

from makar.data import near_image, near_text


def shingles(text):
    words = text.split()
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def pair(similar, seed):
    generator = np.random.default_rng(seed)
    words = [f"w{number}" for number in generator.integers(0, 10**6, 400)]
    other = list(words)
    for place in generator.choice(400, similar, replace=False):
        other[place] = f"changed{place}"
    return " ".join(words), " ".join(other)


@pytest.mark.parametrize("changed", [0, 2, 10, 40])
def test_agreement_of_signatures_estimates_the_jaccard_similarity(changed):
    errors = []
    for seed in range(20):
        left, right = pair(changed, seed)
        true = len(shingles(left) & shingles(right)) / len(shingles(left) | shingles(right))
        errors.append((near_text.signature(left) == near_text.signature(right)).mean() - true)
    # Standard deviation of one estimate is sqrt(J (1 - J) / 128), at most 0.044.
    assert abs(np.mean(errors)) < 0.03 and np.std(errors) < 0.07


def test_signatures_agree_with_datasketch():
    datasketch = pytest.importorskip("datasketch")

    def reference(text):
        signature = datasketch.MinHash(num_perm=128)
        signature.update_batch([" ".join(shingle).encode() for shingle in shingles(text)])
        return signature

    for changed in (2, 20):
        differences = []
        for seed in range(10):
            left, right = pair(changed, seed)
            ours = (near_text.signature(left) == near_text.signature(right)).mean()
            differences.append(ours - reference(left).jaccard(reference(right)))
        assert abs(np.mean(differences)) < 0.05


def test_similar_texts_are_paired_and_others_are_not():
    texts = [text for seed in range(30) for text in pair(3, seed)] + [pair(0, 1000 + seed)[0] for seed in range(50)]
    pairs = near_text.near_pairs(np.stack([near_text.signature(text) for text in texts]))
    assert pairs.tolist() == [[2 * seed, 2 * seed + 1] for seed in range(30)]


def test_texts_of_few_or_no_words_do_no_harm():
    signatures = np.stack([near_text.signature(text) for text in ("", "one", "one two", "one two three four five six")])
    assert near_text.near_pairs(signatures).size == 0
    assert near_text.near_pairs(signatures[:1]).size == 0


def sketches(images):
    return near_image.sketches(np.stack([near_image.thumbnail(image) for image in images]))


def photographs(count, seed=0):
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    return [np.kron(image, np.ones((8, 8, 1), np.uint8)) for image in coarse]


@pytest.mark.parametrize(
    "change",
    [
        lambda image, generator: np.clip(image + generator.normal(0, 4, image.shape), 0, 255).astype(np.uint8),
        lambda image, generator: np.clip(image * 1.02, 0, 255).astype(np.uint8),
        lambda image, generator: image[::2, ::2],
        lambda image, generator: np.concatenate([image, np.full((*image.shape[:2], 1), 255, np.uint8)], axis=2),
    ],
    ids=["noise", "brighter", "smaller", "opaque"],
)
def test_changed_pictures_are_found(change):
    generator = np.random.default_rng(1)
    originals = photographs(200)
    changed = [change(image, generator) for image in originals[:50]]
    pairs = near_image.near_pairs(*sketches(originals + changed)).tolist()
    found = sum([number, 200 + number] in pairs for number in range(50))
    assert found >= 45 and len(pairs) == found


def test_mirrored_and_other_pictures_are_not_near():
    originals = photographs(300)
    assert not len(near_image.near_pairs(*sketches(originals + [image[:, ::-1] for image in originals])))


def test_bands_find_every_pair_within_three_bits():
    generator = np.random.default_rng(2)
    hashes = generator.integers(0, 1 << 63, 500, dtype=np.uint64)
    flipped = hashes.copy()
    for place in range(500):
        for bit in generator.choice(64, 3, replace=False):
            flipped[place] ^= np.uint64(1) << np.uint64(bit)
    pictures = np.zeros((1000, 192), np.uint8)
    pairs = near_image.near_pairs(np.concatenate([hashes, flipped]), pictures)
    assert {(number, 500 + number) for number in range(500)} <= {tuple(pair) for pair in pairs.tolist()}

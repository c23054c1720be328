"""A tiny encoder-decoder with drawn weights and a codec, for tests of everything around them."""

import functools

import torch

from makar.codecs.pair import PairCodec
from makar.codecs.pair_config import PairCodecConfig
from makar.data.record import Record
from makar.families.seq2seq.config import Seq2seqConfig
from makar.families.seq2seq.family import Seq2seqFamily

PAIRS = [
    ("A dog runs in the park.", "Ein Hund läuft im Park."),
    ("Two men are here. 東京 \U0001f98a", "Zwei Männer sind hier. 東京 \U0001f98a"),
    ("She reads.\tA <pad> book <|endoftext|>", "Sie liest.\tEin <pad> Buch <|endoftext|>"),
]


def record(source, *targets, split="train", **roles):
    """Return a record of a pair."""
    content = f"{source}\n\n{targets[0] if targets else ''}"
    held = {"source": source, "targets": targets} if targets else roles
    return Record(id="0", medium="text", content=content, document="d", source="d", split=split, roles=held)


@functools.cache
def codec():
    """Return a fitted codec."""
    return PairCodec.fit(PairCodecConfig(vocabulary_size=300), iter([record(*pair) for pair in PAIRS] * 4))


def family(seed=0, **settings):
    """Return a network of which no weight is where it started."""
    config = Seq2seqConfig(width=16, heads=2, encoder_depth=2, decoder_depth=2, **settings).bound_to(codec().spec)
    made = Seq2seqFamily(config)
    generator = torch.Generator().manual_seed(seed)
    made.initialise(generator)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made.eval()


def sources():
    """Return the tokens of sources of different lengths."""
    return [torch.from_numpy(codec().encode_source(text)) for text, _ in PAIRS]

"""The two halves of the network as other programs run them: the source is read once, the decoder is asked again and again."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from makar.families.seq2seq.network import Seq2seqNetwork
from makar.tensor_spec import PADDING_TOKEN


class EncoderStates(nn.Module):
    """From the tokens of a source, filled up with 0, to its states."""

    def __init__(self, network: Seq2seqNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, source: Int[Tensor, "batch others"]) -> Float[Tensor, "batch others width"]:
        """Return the states."""
        return self.network.read(source, source != PADDING_TOKEN)


class DecoderLogits(nn.Module):
    """From states and what was written, after a 0, to the logits of the next token at every position."""

    def __init__(self, network: Seq2seqNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        states: Float[Tensor, "batch others width"],
        source: Int[Tensor, "batch others"],
        begun: Int[Tensor, "batch length"],
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Return the logits, float32."""
        return self.network.logits(states, source, begun)

"""What codecs share whose tokens are those of one ``tokenizer.json`` with one end token: reading it, its special tokens, their slot."""

from typing import Any

from tokenizers import Tokenizer

from makar.codecs.codec import Codec
from makar.errors import ArtifactError
from makar.tensor_spec import TARGET, Slot, TensorSpec

END = "<|endoftext|>"
TOKENIZER_FILE = "tokenizer.json"


def read_tokenizer(files: dict[str, bytes]) -> Tokenizer:
    """Return the tokenizer of a saved codec.

    Raises:
        ArtifactError: The file is missing or is no tokenizer.
    """
    if TOKENIZER_FILE not in files:
        raise ArtifactError(f"the codec has no {TOKENIZER_FILE}", expected=TOKENIZER_FILE)
    try:
        return Tokenizer.from_str(files[TOKENIZER_FILE].decode())
    except Exception as error:  # the library raises bare Exception
        raise ArtifactError(f"{TOKENIZER_FILE} cannot be read: {error}") from error


class TokenizerCodec(Codec):
    """Turns content into tokens that end with the end token.

    Args:
        tokenizer: The fitted tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        # Content that contains the name of a special token is content.
        self.tokenizer.encode_special_tokens = True
        end = tokenizer.token_to_id(END)
        if end is None:
            raise ArtifactError(f'the tokenizer has no token "{END}"', expected="a tokenizer that this codec wrote")
        self.end_token: int = end

    def tokenizer_json(self) -> bytes:
        """Return the tokenizer in the format of the `tokenizers` library, which ``transformers.AutoTokenizer`` opens."""
        return self.tokenizer.to_str(pretty=True).encode()

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Every token that ends an item when it is drawn: the one."""
        return (self.end_token,)

    @property
    def begin_token(self) -> int:
        """The token that an item without a beginning goes on from: items begin after the end of another."""
        return self.end_token

    def token_numbers(self) -> dict[str, Any]:
        """Return the numbers of special tokens under their names in transformers."""
        return dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), self.end_token)

    def token_names(self) -> dict[str, Any]:
        """Return the names of special tokens under their names in transformers."""
        return dict.fromkeys(("bos_token", "eos_token", "pad_token"), END)

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def spec(self) -> TensorSpec:
        """One slot ``target`` with tokens along ``length``."""
        return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,), vocabulary=self.vocabulary)})

"""What is known of a model behind an endpoint: its name there and the address; no torch, and never a key."""

import dataclasses
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from makar.config import setting
from makar.errors import ConfigError
from makar.families.family_config import FamilyConfig
from makar.tensor_spec import TARGET, Slot, TensorSpec

OPENAI_URL = "https://api.openai.com/v1"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteConfig(FamilyConfig):
    """A model that is reached through an OpenAI-compatible endpoint."""

    kind: ClassVar[str] = "remote"
    engine: ClassVar[str] = "endpoint"
    target: ClassVar[str] = "makar.families.remote.family:RemoteFamily"
    item_name: ClassVar[str] = "token"
    batching: ClassVar[Literal["items", "windows"]] = "windows"

    name: str = setting("gpt-4o-mini", meaning="name of the model at the endpoint")
    base_url: str = setting(OPENAI_URL, meaning="address of the endpoint, without what follows /v1")

    def check(self) -> None:
        """Check the fields, and that the address is one that a key may be sent to.

        Raises:
            ConfigError: It is no address, holds a password, or is not encrypted on the way to another machine.
        """
        super().check()
        if not self.name.strip():
            raise ConfigError("a model without a name", expected="openai:NAME, as the endpoint calls it")
        found = urlsplit(self.base_url)
        if found.scheme not in ("http", "https") or not found.hostname or found.query or found.fragment:
            raise ConfigError(
                f"the address {self.base_url!r}",
                expected="http:// or https:// and a host",
                do=f"--base-url {OPENAI_URL}",
            )
        if found.username or found.password:
            raise ConfigError("an address with a password in it", expected="the key in the environment")

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent is encrypted on the way."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def key_name(self) -> str:
        """The variable of the environment that holds the key: each company's own, so that no key goes to another."""
        host = urlsplit(self.base_url).hostname or ""
        for end, name in (
            ("openai.com", "OPENAI_API_KEY"),
            ("anthropic.com", "ANTHROPIC_API_KEY"),
            ("googleapis.com", "GEMINI_API_KEY"),
        ):
            if host == end or host.endswith(f".{end}"):
                return name
        return "MAKAR_REMOTE_KEY"

    @property
    def tensors_name(self) -> str:
        """There are no tensors here."""
        return ""

    def accepts(self) -> TensorSpec:
        """Return bytes along ``length``."""
        return TensorSpec({TARGET: Slot(kind="tokens", axes=("length",), sizes=(None,))})

    def bound_to(self, made: TensorSpec) -> Self:
        """Return itself: it takes any bytes."""
        del made
        return self

    def scaled_to(self, parameters: int) -> Self:
        """Return itself: its size is not ours to choose."""
        del parameters
        return self

    def parameter_count(self) -> int:
        """Return 0: nothing is trained here."""
        return 0

    def training_operations(self) -> float:
        """Return 1: nothing is computed here."""
        return 1.0

    def activation_bytes(self) -> float:
        """Return 1: nothing is kept here."""
        return 1.0

    def stated(self) -> dict[str, Any]:
        """Return what manifests say."""
        return {"protocol": "openai", "name": self.name, "base_url": self.base_url}

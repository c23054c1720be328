"""A saved model in Python: generate, edit, predict, stream, evaluate, export; and ``load``, ``verify`` and ``import_model``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makar.api.data import Source, data_for
from makar.api.proof import verify as verify
from makar.data.record import WRITTEN
from makar.home import models_folder
from makar.training.progress import ignore_event

if TYPE_CHECKING:
    from makar.api.conversation import Conversation
    from makar.artifacts.artifact import Artifact
    from makar.evaluation.report import Report
    from makar.generation.asset import Asset
    from makar.generation.given_image import ImageSource
    from makar.novelty.index import NoveltyIndex
    from makar.novelty.lineage import LineageIndex


class Model:
    """A saved model. Its weights are read at the first use.

    Args:
        artifact: The opened artifact.
    """

    def __init__(self, artifact: "Artifact") -> None:
        self.artifact = artifact
        self._index: NoveltyIndex | LineageIndex | None = None
        self._index_is_known = False

    def __repr__(self) -> str:
        return f"Model({self.short_name!r}, medium={self.medium!r}, hash={self.hash[:16]!r})"

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.artifact.path

    @property
    def short_name(self) -> str:
        """The shortest text by which ``load`` finds it: its name, or its path when it lies elsewhere."""
        return self.path.name if self.path.parent == models_folder() else str(self.path)

    @property
    def medium(self) -> str:
        """The medium that it makes."""
        return self.artifact.medium

    @property
    def hash(self) -> str:
        """The hash that its assets name."""
        return self.artifact.hash

    @property
    def makes_text(self) -> bool:
        """Whether its content is text that can be printed."""
        return self.medium in WRITTEN and self.medium != "music"

    @property
    def rewrites(self) -> bool:
        """Whether it makes a text from another one and does not go on with it."""
        from makar.generation.prompts import rewrites

        return rewrites(self.artifact.family_config)

    def generate(
        self,
        prompts: str | int | np.ndarray | Sequence[Any] | None = None,
        *,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        refuse_copies: bool = False,
    ) -> list["Asset"]:
        """Make new content.

        Args:
            prompts: Text to continue, the name of a class, tokens, or several of these; ``None`` for nothing.
            count: Assets for every prompt.
            seed: Seed of the first; the same seed gives the same asset.
            options: Sampling controls by name, for example ``{"temperature": 0.8, "top_p": 0.95}`` or ``{"steps": 10}``.
            refuse_copies: Draw again what is too close to the training data.

        Returns:
            Signed assets, prompt after prompt.

        Raises:
            UnsupportedError: A control or prompt that this model cannot honour; the message names what it can.
            CopyRefusedError: Every draw for an asset was too close to the training data.
        """
        return list(self.generate_each(prompts, count=count, seed=seed, options=options, refuse_copies=refuse_copies))

    def generate_each(
        self,
        prompts: str | int | np.ndarray | Sequence[Any] | None = None,
        *,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        refuse_copies: bool = False,
    ) -> Iterator["Asset"]:
        """Make new content like ``generate``, and give each asset as soon as it is finished; ``previewing.shown`` shows it before."""
        from makar.generation.generate import generate

        return generate(
            self.artifact,
            prompts=prompts,
            count=count,
            seed=seed,
            options=dict(options or {}),
            novelty=self.novelty_index(),
            refuse_copies=refuse_copies,
        )

    def augment(
        self,
        data: Source,
        *,
        count: int,
        folder: str | Path,
        spread: str = "balance",
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> list[Path]:
        """Make labelled samples for a training set, in its layout: class folders, or images with a ``metadata.csv``.

        A call that was killed goes on where it was when it is made again; a larger count adds to a smaller one. Samples that are copies
        of the model's training images are drawn again.

        Args:
            data: The training set, with labels that the model knows; nothing is written into it.
            count: Samples in all.
            folder: Where they go.
            spread: ``"balance"`` brings the classes as near to one size as the count allows, ``"even"`` gives each the same.
            seed: Seed of the first sample of every class.
            options: Sampling controls by name.

        Returns:
            The files that were made by this call.

        Raises:
            UsageError: The folder lies in the data or holds samples of another make, or the data has no labels.
            UnsupportedError: The model takes no classes, or its training data is not on this machine.
            UnknownNameError: The data has a class that the model does not know.
        """
        from makar.api.augmenting import augment_each

        made = augment_each(self, data, count=count, folder=folder, spread=spread, seed=seed, options=options)
        return [file for _, file in made]

    def stream(
        self, prompt: str | np.ndarray | None = None, *, seed: int = 0, options: Mapping[str, Any] | None = None
    ) -> Iterator["str | Asset"]:
        """Make one text and give it piece by piece; the last thing given is the signed asset.

        Args:
            prompt: What to continue; the pieces do not repeat it.
            seed: Seed of the draw; the text is the one that ``generate`` makes.
            options: Sampling controls by name.

        Raises:
            UnsupportedError: The model makes no text, or a control or prompt cannot be honoured.
        """
        from makar.generation.stream import stream_text

        return stream_text(
            self.artifact, prompt=prompt, seed=seed, options=dict(options or {}), novelty=self.novelty_index()
        )

    def chat(
        self,
        *,
        system: str | None = None,
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
        history: str | Path | None = None,
    ) -> "Conversation":
        """Begin a conversation.

        Args:
            system: What the model is told before.
            options: Sampling controls by name.
            seed: Seed of the first answer; the next has the next.
            history: A file that ``save`` of a conversation wrote, to go on with.

        Returns:
            ``.say(text)`` gives pieces of the answer, ``.reply(text)`` the whole, ``.save(path)`` keeps the conversation.

        Raises:
            UnsupportedError: The model makes no text, or a control cannot be honoured.
        """
        from makar.api.conversation import Conversation

        return Conversation(
            self.artifact, system=system, options=options, seed=seed, history=history, novelty=self.novelty_index()
        )

    def edit(
        self,
        image: "ImageSource | None",
        *,
        how: Mapping[str, Any] | None = None,
        prompt: str | int | Sequence[Any] | None = None,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> list["Asset"]:
        """Change an image, or fill a hole in a file of code.

        Args:
            image: A file, or an array uint8 ``[rows, columns, channels]``; ``None`` only for frames between two seeds.
            how: What is to be done, of ``makar.generation.edit_request``: ``{"box": (8, 8, 24, 24)}``, ``{"mask": "mask.png"}``,
                ``{"right": 16}``, ``{"operation": "denoise"}``, ``{"enlarge": 2}``, ``{"to": "other.png", "frames": 8}``. Of code,
                ``makar.generation.text_edit``: ``{"infill": True}``, ``{"line": "12-15"}``, ``{"span": "3:5-3:9"}``.
            prompt: What it is to become: a class or a description, or several; ``None`` leaves that to the model.
            count: Variants for every prompt.
            seed: Seed of the first variant.
            options: Sampling controls by name; ``{"strength": 0.4}`` begins from the image.

        Returns:
            Signed assets; what was known of the image is unchanged in them, bit for bit.

        Raises:
            UsageError: Nothing or contradicting things are asked for, or a mask or box does not fit the image.
            UnsupportedError: The model cannot do it; the message names what it can and recipes that can.
        """
        return list(self.edit_each(image, how=how, prompt=prompt, count=count, seed=seed, options=options))

    def edit_each(
        self,
        image: "ImageSource | None",
        *,
        how: Mapping[str, Any] | None = None,
        prompt: str | int | Sequence[Any] | None = None,
        count: int = 1,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator["Asset"]:
        """Change an image like ``edit``, and give each asset as soon as it is finished; ``previewing.shown`` shows it before."""
        from makar.generation.edit import edit

        return edit(
            self.artifact,
            {**(how or {}), "image": image},
            prompts=prompt,
            count=count,
            seed=seed,
            options=options,
            novelty=self.novelty_index(),
        )

    def predict(
        self,
        inputs: "Sequence[ImageSource] | ImageSource",
        *,
        what: str | None = None,
        labels: Sequence[str] | str | None = None,
        query: str | None = None,
        seed: int = 0,
        write_captions: bool = False,
        top: int | None = None,
        language: str | None = None,
    ) -> list[dict[str, Any]]:
        """Say something of images, texts or recordings that exist.

        Args:
            inputs: Files, folders, arrays uint8 ``[rows, columns, channels]``, or several of these.
            what: For example ``"anomaly"`` or ``"caption"``; ``None`` where the model predicts one thing only, or where words say it.
            labels: Descriptions of which each image is to get the likeliest; a text is split at its commas.
            query: A description that the images are ordered by, the most similar first.
            seed: Seed of draws, where the prediction needs any.
            write_captions: Write each caption beside its image, as a text file of the same name; one that exists is kept.
            top: With ``"bugs"``: how many lines of each file, the most suspicious first; ``None`` is 10.
            language: Of recordings: code of what is spoken, for a model that knows several languages; ``None`` lets it guess.

        Returns:
            One dictionary an image: ``input``, ``what`` and what the model says; a ``score`` of anomaly is higher where it is stranger.

        Raises:
            UnsupportedError: The model cannot predict that; the message names recipes that can.
        """
        from makar.generation.predict import predict
        from makar.generation.transcribing import transcribe_told

        if language is not None:
            others = labels, query, top, write_captions or None
            return list(transcribe_told(self.artifact, inputs, language=language, what=what, others=others))
        words: dict[str, Any] = {"labels": labels, "query": query, "top": top}
        return list(predict(self.artifact, inputs, what=what, seed=seed, write_captions=write_captions, **words))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return vectors of texts, float32 ``[texts, width]``, each of length 1; the product of two says how alike they are.

        Raises:
            UnsupportedError: The model makes no vectors; those of the recipe ``embed`` do.
            UsageError: A text is empty.
        """
        from makar.generation.embed import embed

        return embed(self.artifact, texts).values

    def evaluate(
        self,
        data: Source | None = None,
        *,
        folder: str | Path | None = None,
        seed: int = 0,
        samples: int = 0,
        inception: str | Path | None = None,
        suite: str | None = None,
        on_event: Callable[[dict[str, Any]], None] = ignore_event,
    ) -> "Report":
        """Measure the model against baselines and against its training data; the scores also go onto its card.

        Args:
            data: What to measure on, read by the columns that the training data was read by; ``None`` takes the held-out part of that.
            folder: Where the report goes; ``None`` makes ``report-NAME`` in the current folder.
            seed: Seed of the samples.
            samples: Number of samples to make and measure; 0 takes the usual number of the medium.
            inception: A safetensors file with the weights of the Inception network: figures of images that compare with published ones.
            suite: ``"humaneval"``, ``"mbpp"``, ``"truthful"``, ``"bias"`` or ``"safety"``; ``data`` is then the file that holds it.
            on_event: Called with what is being measured.

        Returns:
            The report: ``.html``, ``.json``, ``.to_dictionary()``.
        """
        from makar.evaluation.evaluate import evaluate, evaluate_suite

        out = Path(f"report-{self.path.name}") if folder is None else Path(folder)
        weights = None if inception is None else Path(inception)
        if suite is not None:
            return evaluate_suite(
                self.artifact, suite, data, folder=out, seed=seed, samples=samples, inception=weights, on_event=on_event
            )
        of = data_for(self.artifact, data)
        return evaluate(self.artifact, of, folder=out, seed=seed, samples=samples, inception=weights, on_event=on_event)

    def export(self, folder: str | Path, *, to: str, precision: str | None = None) -> Path:
        """Write the model in a standard format and check it against the model itself.

        Args:
            folder: A folder that does not exist or is empty.
            to: ``"transformers"``, ``"onnx"``, ``"gguf"``; adapters of text, merged, or ``"peft"``, of images ``"diffusers"``, ``"kohya"``.
            precision: Of ``"gguf"``: ``"float32"`` (``None``), ``"float16"``, ``"bfloat16"``, ``"int8"``.
        """
        from makar.artifacts.export import export_artifact

        return export_artifact(self.artifact, to=to, folder=Path(folder), precision=precision)

    def switch(self, loras: Sequence[str] = ()) -> None:
        """Take other adapters of text than before, or none, from the next call on; ``loras`` as in ``load``."""
        from makar.api.engines import check_no_engine
        from makar.artifacts.adapters import adapters_for

        check_no_engine(self.artifact)
        self.artifact.use_adapters(adapters_for(self.artifact, loras))

    def novelty_index(self) -> "NoveltyIndex | LineageIndex | None":
        """Return the index of the data it, and what it began from, learned from; ``None`` where its run is not on this machine."""
        if not self._index_is_known:
            from makar.api.novelty import open_index

            self._index = open_index(self.artifact)
            self._index_is_known = True
        return self._index


def load(
    name: str | Path,
    *,
    loras: Sequence[str] = (),
    controlnet: str | Path | None = None,
    base_url: str | None = None,
) -> Model:
    """Open a saved model by name or folder; every file is compared with its signed hash first.

    Args:
        name: A name, the folder of a model, of a pipeline of diffusers or a checkpoint of transformers, a name on the hub, or
            ``openai:NAME``, a model behind an endpoint, or ``builtin:NAME``, one that needs no training.
        loras: Adapters to add: for a pipeline LoRA files, each FILE or FILE:SCALE; for text names or folders, with :WEIGHT.
        controlnet: For a pipeline: folder of a ControlNet.
        base_url: For ``openai:NAME``: the address of the endpoint; ``None`` for that of OpenAI.

    Raises:
        UnknownNameError: There is no such model; the nearest name is proposed.
        IntegrityError: A file is missing, foreign or changed.
        ArtifactError: A folder of others holds code or pickles, or lacks a component.
    """
    from makar.artifacts.load import load_artifact

    return Model(load_artifact(name, loras=loras, controlnet=controlnet, base_url=base_url))

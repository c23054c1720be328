"""From the hash in a configuration to an opened pipeline of diffusers, and from a folder to its configuration.

The folder is found in the private ledger and compared with the hash before a byte of it is used: an adapter never meets another base.
Nothing is downloaded, no pickle is read and no code of the folder is run (``folder``). Of LoRA files the weights are added to those of the
pipeline (``lora_files``), a ControlNet makes a pipeline with one.
"""

import contextlib
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from makar.errors import ArtifactError, IntegrityError, MissingExtraError, UnsupportedError
from makar.families.edits import EDITS
from makar.families.pretrained.config import CREATE, TARGETS, PretrainedConfig
from makar.families.pretrained.folder import PipelineFolder, is_pipeline, read_folder
from makar.families.pretrained.layers import adapted_width
from makar.families.pretrained.memory import Computing
from makar.provenance.ledger import known_place
from makar.provenance.pipelines import content_hash, hashed_files

DEFAULT_SIDE = 128
"""Positions of the latents along a side where a network does not say."""
INPAINTING_CHANNELS = 9
"""Inputs of a U-Net that was trained to fill in: latents, known latents and mask."""


def diffusers() -> Any:
    """Return the module.

    Raises:
        MissingExtraError: It, or what it needs, is not installed.
    """
    for package in ("transformers", "accelerate", "diffusers"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="diffusers")
    from transformers.utils import logging as remarks

    # On being imported they remark that torchvision is absent, which is meant.
    level = remarks.get_verbosity()
    remarks.set_verbosity_error()
    try:
        import diffusers as module
        from diffusers.pipelines import auto_pipeline
    finally:
        remarks.set_verbosity(level)
    del auto_pipeline
    return module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the bars and remarks of both libraries from the terminal for a while; what goes wrong is raised anyway."""
    diffusers()
    from diffusers.utils import logging as theirs
    from transformers.utils import logging as others

    levels = theirs.get_verbosity(), others.get_verbosity()
    had_bars = theirs.is_progress_bar_enabled(), others.is_progress_bar_enabled()
    for remarks in (theirs, others):
        remarks.set_verbosity_error()
        remarks.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # What they warn of they do themselves: the schedulers hand tensors to NumPy in a way that it will give up.
            for kind in (DeprecationWarning, FutureWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        for remarks, level, had_bar in zip((theirs, others), levels, had_bars, strict=True):
            remarks.set_verbosity(level)
            if had_bar:
                remarks.enable_progress_bar()


def describe(folder: Path, *, loras: tuple[str, ...] = (), controlnet: str = "") -> PretrainedConfig:
    """Return the configuration of a folder as it is.

    Args:
        folder: The folder of a pipeline.
        loras: LoRA files to add, each SHA256:SCALE.
        controlnet: Hash of the folder of a ControlNet.

    Raises:
        ArtifactError: It must not be opened; the message says why.
        UnsupportedError: It is no pipeline of images.
    """
    looked = read_folder(folder)
    factor = _latent_factor(looked)
    side = looked.settings(looked.denoiser).get("sample_size") or DEFAULT_SIDE
    rows, columns = (side, side) if isinstance(side, int) else side
    vae = _vae_factor(looked)
    shapes, weights = looked.shapes(looked.denoiser), looked.weights()
    narrow, wide = (adapted_width(shapes, targets) for targets in TARGETS)
    return PretrainedConfig(
        base=content_hash(hashed_files(folder, looked.files)),
        pipeline=looked.pipeline,
        abilities=_abilities(looked, has_controlnet=bool(controlnet)),
        height=rows * vae // factor * factor,
        width=columns * vae // factor * factor,
        latent_factor=factor,
        denoiser_weights=weights[looked.denoiser],
        all_weights=sum(weights.values()),
        adapted_widths=(narrow, wide),
        loras=loras,
        controlnet=controlnet,
    )


def base_folder(config: PretrainedConfig) -> PipelineFolder:
    """Find and check the folder that a configuration names by its hash.

    Raises:
        ArtifactError: It is not known on this machine.
        IntegrityError: What is there is another one, or the configuration describes another.
    """
    folder = known_folder(config.base, pipeline=config.pipeline)
    described = describe(folder.path, loras=config.loras, controlnet=config.controlnet)
    names = ("pipeline", "abilities", "latent_factor", "denoiser_weights", "all_weights", "adapted_widths")
    ours, theirs = config.to_dictionary(), described.to_dictionary()
    if wrong := [name for name in names if ours[name] != theirs[name]]:
        raise IntegrityError(
            f"the configuration says of its base {wrong[0]} {ours[wrong[0]]!r}",
            expected=repr(theirs[wrong[0]]),
            do="do not trust this model",
        )
    return folder


def open_pipeline(config: PretrainedConfig, folder: PipelineFolder, computing: Computing) -> Any:
    """Open the pipeline of a folder that was checked, with LoRA files and ControlNet of the configuration.

    Raises:
        ArtifactError: diffusers cannot open it.
    """
    from makar.families.pretrained.lora_files import add_lora_files

    pipeline = from_folder(folder, precision=computing.precision)
    if config.controlnet:
        pipeline = _with_controlnet(pipeline, config, precision=computing.precision)
    add_lora_files(pipeline, config.loras)
    return pipeline


def from_folder(folder: PipelineFolder, *, precision: str) -> Any:
    """Open a folder that was checked by the class that it names, ready to be asked.

    Raises:
        ArtifactError: diffusers cannot open it.
    """
    import torch

    kind = getattr(diffusers(), folder.pipeline)
    try:
        with quiet():
            pipeline = kind.from_pretrained(str(folder.path), variant=folder.variant, **_how(precision))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError) as error:
        raise ArtifactError(
            f"{folder.path} cannot be opened: {error}", do="get the whole folder again, or a newer diffusers"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    for name in folder.components:
        part = pipeline.components.get(name)
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    return pipeline


def _how(precision: str) -> dict[str, Any]:
    import torch

    return {"dtype": getattr(torch, precision), "use_safetensors": True, "local_files_only": True}


def known_folder(base: str, *, pipeline: str) -> PipelineFolder:
    """Return the folder of a pipeline that is named by its hash.

    Args:
        base: The hash.
        pipeline: Its class, for messages.

    Raises:
        ArtifactError: It is not known on this machine.
        IntegrityError: What is there is another one.
    """
    place = known_place("artifact", base)
    if place is None or not is_pipeline(Path(place)):
        raise ArtifactError(
            f"the pipeline {base[:16]} that this model is made from is not on this machine",
            expected=f"the folder of that {pipeline}",
            do="get it, and make it known: makar generate FOLDER",
        )
    folder = read_folder(Path(place))
    if content_hash(hashed_files(folder.path, folder.files)) != base:
        raise IntegrityError(
            f"{place} is another pipeline than the one that this model is made from",
            expected=f"files with the hash {base[:16]}",
            do="get the one that it was made from; an adapter fits no other base",
        )
    return folder


def network_folder(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return hash and files of the folder of one network of diffusers: a ControlNet.

    Raises:
        ArtifactError: It has no settings, or no safetensors.
    """
    files = sorted(
        path.name for path in folder.glob("*") if path.name == "config.json" or path.suffix == ".safetensors"
    )
    if "config.json" not in files or len(files) < 2 or any(folder.rglob("*.py")):
        raise ArtifactError(
            f"{folder} is no network of diffusers",
            expected="config.json and *.safetensors, and no code",
            do="get the model as safetensors",
        )
    return content_hash(hashed_files(folder, files)), tuple(files)


def _with_controlnet(pipeline: Any, config: PretrainedConfig, *, precision: str) -> Any:
    place = known_place("artifact", config.controlnet)
    if place is None or network_folder(Path(place))[0] != config.controlnet:
        raise ArtifactError(
            f"the ControlNet {config.controlnet[:16]} is not where it was", expected="the folder that was named"
        )
    module = diffusers()
    kinds = {"StableDiffusion3": "SD3ControlNetModel", "Flux": "FluxControlNetModel"}
    kind = next((kinds[start] for start in kinds if config.pipeline.startswith(start)), "ControlNetModel")
    try:
        with quiet():
            network = getattr(module, kind).from_pretrained(place, **_how(precision))
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ArtifactError(f"{place} cannot be opened as a {kind}: {error}", do="name another ControlNet") from error
    return module.AutoPipelineForText2Image.from_pipe(pipeline, controlnet=network.eval())


def _abilities(folder: PipelineFolder, *, has_controlnet: bool) -> tuple[str, ...]:
    """Return what diffusers can do with a pipeline of this class.

    Raises:
        UnsupportedError: Nothing that is known here.
    """
    diffusers()
    from diffusers.pipelines import auto_pipeline as tables

    name = folder.pipeline
    known = {
        CREATE: tables.AUTO_TEXT2IMAGE_PIPELINES_MAPPING,
        "image-to-image": tables.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING,
        "inpaint": tables.AUTO_INPAINT_PIPELINES_MAPPING,
    }
    families = {key for table in known.values() for key, kind in table.items() if kind.__name__ == name}
    if not families:
        raise UnsupportedError(
            f"{name} is no pipeline from text to images, sounds or video",
            expected="Stable Diffusion, Flux and others like them; AudioLDM, Stable Audio; Wan, LTX, CogVideoX",
        )
    family = families.pop().replace("-controlnet", "")
    able = [ability for ability, table in known.items() if family in table]
    if (has_controlnet or "controlnet" in folder.components) and f"{family}-controlnet" in known[CREATE]:
        able.append("control")
    if has_controlnet and "control" not in able:
        raise UnsupportedError(f"{name} takes no ControlNet", expected="Stable Diffusion 1 to 3, XL or Flux")
    inputs, latents = (
        folder.settings(part).get(key) for part, key in ((folder.denoiser, "in_channels"), ("vae", "latent_channels"))
    )
    if folder.denoiser == "unet" and inputs != latents:
        if inputs != INPAINTING_CHANNELS:
            raise UnsupportedError(
                f"the network of {folder.path} takes {inputs} channels", expected=f"{latents}, or 9 for filling in"
            )
        able = ["inpaint"]
    assert set(able) <= {CREATE, *EDITS}
    return tuple(able)


def _vae_factor(folder: PipelineFolder) -> int:
    return int(2 ** (len(folder.settings("vae").get("block_out_channels", (1, 1, 1, 1))) - 1))


def _latent_factor(folder: PipelineFolder) -> int:
    """Return pixels along a side of one position of the denoiser; Flux folds two by two latents into a position."""
    patch = folder.settings(folder.denoiser).get("patch_size") or 1
    return _vae_factor(folder) * (2 if folder.pipeline.startswith("Flux") else int(patch))

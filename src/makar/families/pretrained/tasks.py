"""One opened pipeline in the forms that diffusers has of it: from words, from an image, filling in, steered by a map.

All forms share the same networks, so a further form costs no memory.
"""

from typing import Any

from makar.errors import UnsupportedError
from makar.families.pretrained.config import CREATE, PretrainedConfig
from makar.families.pretrained.memory import Computing
from makar.families.pretrained.opening import diffusers, quiet

MAKERS = {
    CREATE: "AutoPipelineForText2Image",
    "image-to-image": "AutoPipelineForImage2Image",
    "inpaint": "AutoPipelineForInpainting",
    "control": "AutoPipelineForText2Image",
}


class Tasks:
    """The forms of a pipeline.

    Args:
        pipeline: As it was opened.
        config: What it can do.
        computing: How it is to compute.
    """

    def __init__(self, pipeline: Any, *, config: PretrainedConfig, computing: Computing) -> None:
        self.opened = pipeline
        self.scheduler = pipeline.scheduler
        self.computing = computing
        self._config = config
        self._forms: dict[str, Any] = {}

    def pipeline(self, task: str) -> Any:
        """Return the form for a task.

        Raises:
            UnsupportedError: diffusers has none.
        """
        if task not in self._forms:
            if task not in self._config.abilities:
                raise UnsupportedError(f"this pipeline cannot {task}", expected=", ".join(self._config.abilities))
            changes: dict[str, Any] = {}
            network = self.opened.components.get("controlnet")
            if network is not None:
                changes["controlnet"] = network if task == "control" else None
            with quiet():
                form = getattr(diffusers(), MAKERS[task]).from_pipe(self.opened, **changes)
            form.set_progress_bar_config(disable=True)
            self._save_memory(form)
            self._forms[task] = form
        return self._forms[task]

    def _save_memory(self, form: Any) -> None:
        computing = self.computing
        if computing.vae_tiling and "vae" in form.components:
            form.vae.enable_tiling()
        if computing.attention_slicing:
            form.enable_attention_slicing()
        if computing.device == "cuda":
            if computing.offload == "component":
                form.enable_model_cpu_offload()
            elif computing.offload == "layer":
                form.enable_sequential_cpu_offload()
            else:
                form.to("cuda")

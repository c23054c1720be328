"""`makar train --recipe pix2pix` and `cyclegan` against pytorch-CycleGAN-and-pix2pix at equal minutes: FID; from pairs L1, LPIPS-type.

Run: python benchmarks/translation.py --peer FOLDER [--minutes 20] [--seeds 1] [--subjects facades colour style] [--sheets FOLDER]

Three subjects at 64 x 64: ``facades`` (facades128, label map to photograph, 400 pairs, 100 held out), ``colour`` (emojitwo in black and
white to emojitwo, pairs), ``style`` (noto and openmoji, two domains, both ways). The peer is a checkout of
junyanz/pytorch-CycleGAN-and-pix2pix: its own models, losses, initialisation and training step run as they are, with its own defaults
(batches of one, Adam at 2e-4, U-Net with batch norm and dropout for pairs, ResNet with six blocks and instance norm for domains, a rate
that is constant for half of the time and then falls to zero). What it does to images is done here as it does by default: enlarged by
286/256, cut at a random place, mirrored with even odds. Its options and data loading import torchvision and are not used; an empty module
stands in for torchvision in case a model imports it. Its U-Net has no variant for 64 pixels, so six halvings of the same class are used.
Its width is the one whose number of parameters, all networks together, comes nearest to ours; it runs at its better number of threads. Ours
gets the same minutes for everything up to the saved model, and learns mirrored images too.

Held-out images are translated by both. One extractor, trained on all training images of the subject, judges both: the Frechet distance to
the training images of what was to be made, with that of the real held-out images as the floor. Mean difference in steps of 255.
"""

import argparse
import contextlib
import importlib
import io
import math
import os
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import data_folder, machine, mean_interval, timed, write_result

SIDE = 64
ENLARGED = round(SIDE * 286 / 256)
THREAD_TRIAL_SECONDS = 5.0
WIDTHS = range(4, 129, 2)
STYLES = {"colour": ("emojitwo_bw", "emojitwo"), "style": ("noto", "openmoji")}
SUBJECTS = ("facades", *STYLES)


class Subject:
    """One data set, and how its translations are judged.

    Args:
        name: Of ``SUBJECTS``.
        folder: Where the data for our command is laid out.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.is_paired = name, name != "style"
        self.recipe = "pix2pix" if self.is_paired else "cyclegan"
        self.kinds = ("label", "photo") if name == "facades" else STYLES[name]
        self.place = folder / name
        # [kind][split]: uint8 [images, channels, height, width]
        self.images = facades(self.place) if name == "facades" else emoji(self.place, self.kinds)
        self.extractor = own_extractor(folder / f"extractor-{name}", [part["train"] for part in self.images])

    @property
    def ways(self) -> list[tuple[int, int]]:
        """Kind that is given and kind that is made, for every way."""
        return [(0, 1)] if self.is_paired else [(0, 1), (1, 0)]

    def figures(self, made: list[np.ndarray]) -> dict[str, float]:
        """Return the figures of the translations of every way."""
        from makar.evaluation.frechet import frechet_distance
        from makar.evaluation.perceptual import perceptual_distance

        found: dict[str, float] = {}
        for (_, wanted), images in zip(self.ways, made):
            learned, real = self.images[wanted]["train"], self.images[wanted]["test"]
            reference = self.extractor.features(learned)
            word = self.kinds[wanted]
            found[f"fid to {word}"] = frechet_distance(self.extractor.features(images), reference)
            if self.is_paired:
                found["l1"] = float(np.abs(images.astype(np.float64) - real).mean())
                found["lpips-type"] = float(perceptual_distance(self.extractor, real, images).mean())
        return found

    def anchors(self) -> dict[str, dict[str, float]]:
        """Return the figures of real held-out images, and of the given images as they are."""
        return {
            "real": self.figures([self.images[wanted]["test"] for _, wanted in self.ways]),
            "given": self.figures([self.images[given]["test"] for given, _ in self.ways]),
        }


def facades(place: Path) -> list[dict[str, np.ndarray]]:
    """Point to facades128 and return its label maps and photographs."""
    import pyarrow.parquet

    source = data_folder() / "facades128"
    place.symlink_to(source)
    table = pyarrow.parquet.read_table(source / "facades128.parquet")
    split = np.array(table["split"].to_pylist())
    kinds = [np.stack([pixels_of(content) for content in table[name].to_pylist()]) for name in ("label", "photo")]
    return [{part: images[split == part] for part in ("train", "test")} for images in kinds]


def emoji(place: Path, styles: tuple[str, str]) -> list[dict[str, np.ndarray]]:
    """Lay out two styles as PNG files, those that both have, and return their images in the same order."""
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(data_folder() / "emoji" / "emoji_64px_webp.parquet")
    names = ("style", "codepoints", "split", "image")
    rows = list(zip(*(table[name].to_pylist() for name in names)))
    found = [{code: (split, content) for style, code, split, content in rows if style == wanted} for wanted in styles]
    shared = sorted(set(found[0]) & set(found[1]))
    kinds = []
    for number, images in enumerate(found):
        parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
        for code in shared:
            split, content = images[code]
            part = "train" if split == "train" else "test"
            pixels = pixels_of(content)
            parts[part].append(pixels)
            folder = place / part / "AB"[number]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{code}.png")
        kinds.append({part: np.stack(listed) for part, listed in parts.items()})
    return kinds


def pixels_of(content: bytes) -> np.ndarray:
    """Return an encoded image at the size that is compared, uint8 ``[channels, height, width]``."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small).transpose(2, 0, 1)


def own_extractor(folder: Path, kinds: list[np.ndarray]) -> Any:
    """Return an extractor that was trained on the training images of all kinds."""
    from makar.data.record import Record
    from makar.data.store import build_store
    from makar.evaluation.extractor import extractor_for

    def records() -> Any:
        for kind, images in enumerate(kinds):
            for number, pixels in enumerate(images):
                name = f"{kind}-{number}"
                yield Record(
                    id=name, medium="image", content=pixels, document=name, source=name, split="train", label=None
                )

    store = build_store(folder, records(), lambda record: {"target": record.content}, key=folder.name)
    return extractor_for(store)


def as_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1)


def as_pixels(images: torch.Tensor) -> np.ndarray:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


# --- ours -------------------------------------------------------------------------------------------------------------------------


def ours(
    subject: Subject, home: Path, options: argparse.Namespace, seed: int
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train with the command line and return (translations of every way, what happened)."""
    command = [
        sys.executable, "-m", "makar", "train", str(subject.place), "--recipe", subject.recipe, "--for",
        f"{options.minutes}m", "--seed", str(seed), "-o", str(home / "model"), "--json",
        "--set", "stages.0.family.flip=true",
    ]  # fmt: skip
    for text in options.set:
        command += ["--set", text]
    seconds, _ = timed(command, environment={"MAKAR_HOME": str(home)})
    import makar

    artifact = makar.load(str(home / "model")).artifact
    family, codec = artifact.family(), artifact.codec()
    sampler, made = family.sampler(codec), []
    for given, wanted in subject.ways:
        prompts = [{"source": image} for image in as_tensor(subject.images[given]["test"])]
        controls = family.options() if subject.is_paired else family.options(direction="AB"[wanted])
        slots = {index: found["target"] for index, found, _ in sampler.sample(controls, prompts, [0] * len(prompts))}
        made.append(as_pixels(torch.from_numpy(np.stack([slots[index] for index in range(len(prompts))]))))
    training = artifact.header["training"]
    stage = artifact.header["recipe"]["stages"][-1]
    return made, {
        "total_seconds": seconds,
        "parameters": training["parameters"],
        "images": training["items"],
        "incidents": training["incidents"],
        "inner_loss": training["inner_loss"],
        "family": stage["family"],
        "optimisation": stage["optimisation"],
        "machine": training["machine"],
    }


# --- the peer ---------------------------------------------------------------------------------------------------------------------


def peer_options(subject: Subject, *, width: int, folder: Path) -> argparse.Namespace:
    """Return the peer's own defaults for a subject."""
    paired = subject.is_paired
    return argparse.Namespace(
        isTrain=True, gpu_ids=[], device=torch.device("cpu"), checkpoints_dir=str(folder), name="run", preprocess="none",
        continue_train=False, load_iter=0, epoch="latest", verbose=False, direction="AtoB", input_nc=3, output_nc=3,
        ngf=width, ndf=width, netG="unet_64" if paired else "resnet_6blocks", netD="basic", n_layers_D=3,
        norm="batch" if paired else "instance", no_dropout=not paired, init_type="normal", init_gain=0.02, lr=2e-4,
        beta1=0.5, pool_size=0 if paired else 50, gan_mode="vanilla" if paired else "lsgan", lambda_L1=100.0,
        lambda_A=10.0, lambda_B=10.0, lambda_identity=0.5, lr_policy="linear", epoch_count=1, n_epochs=1,
        n_epochs_decay=1, lr_decay_iters=50,
    )  # fmt: skip


def peer_modules(peer: Path) -> tuple[Any, Any, Any]:
    """Import the peer's networks and models, with an empty module in the place of torchvision."""
    if str(peer) not in sys.path:
        sys.path.insert(0, str(peer))
        for name in ("torchvision", "torchvision.transforms"):
            sys.modules.setdefault(name, types.ModuleType(name))
    names = ("models.networks", "models.pix2pix_model", "models.cycle_gan_model")
    networks, pairs, domains = (importlib.import_module(name) for name in names)
    return networks, pairs.Pix2PixModel, domains.CycleGANModel


def peer_model(peer: Path, subject: Subject, *, width: int, folder: Path) -> Any:
    """Build the peer's model for 64 pixels."""
    networks, pairs, domains = peer_modules(peer)
    options = peer_options(subject, width=width, folder=folder)
    define = networks.define_G

    def with_six_halvings(
        inputs: int, outputs: int, features: int, kind: str, norm: str, dropout: bool, *rest: Any
    ) -> Any:
        if kind != "unet_64":
            return define(inputs, outputs, features, kind, norm, dropout, *rest)
        norms = networks.get_norm_layer(norm_type=norm)
        network = networks.UnetGenerator(inputs, outputs, 6, features, norm_layer=norms, use_dropout=dropout)
        networks.init_weights(network, *rest[:2])
        return network

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        networks.define_G = with_six_halvings
        try:
            return (pairs if subject.is_paired else domains)(options)
        finally:
            networks.define_G = define


def networks_of(model: Any) -> list[Any]:
    return [getattr(model, f"net{name}") for name in model.model_names]


def count_of(model: Any) -> int:
    return sum(parameter.numel() for network in networks_of(model) for parameter in network.parameters())


def matched_width(peer: Path, subject: Subject, parameters: int, folder: Path) -> int:
    """Return the width at which the peer's networks have the nearest number of parameters."""
    low, high = WIDTHS[0], WIDTHS[-1]
    while high - low > 2:
        middle = (low + high) // 4 * 2
        if count_of(peer_model(peer, subject, width=middle, folder=folder)) < parameters:
            low = middle
        else:
            high = middle
    return min(
        (low, high),
        key=lambda width: abs(count_of(peer_model(peer, subject, width=width, folder=folder)) - parameters),
    )


def changed(images: torch.Tensor, place: tuple[int, int], is_mirrored: bool) -> torch.Tensor:
    """Enlarge, cut and mirror one image as the peer does before training."""
    large = torch.nn.functional.interpolate(images[None], size=(ENLARGED, ENLARGED), mode="bicubic")[0].clamp(-1, 1)
    cut = large[:, place[0] : place[0] + SIDE, place[1] : place[1] + SIDE]
    return cut.flip(2) if is_mirrored else cut


def run_peer(peer: Path, subject: Subject, *, width: int, seconds: float, seed: int, folder: Path) -> tuple[Any, int]:
    """Train the peer for some seconds and return (its model, its steps)."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = peer_model(peer, subject, width=width, folder=folder)
    first, second = (as_tensor(kind["train"]) for kind in subject.images)
    steps, start = 0, time.perf_counter()
    while True:
        for index in draw.permutation(len(first)).tolist():
            progress = (time.perf_counter() - start) / seconds
            if progress >= 1:
                return model, steps
            for optimiser in model.optimizers:
                for group in optimiser.param_groups:
                    group["lr"] = 2e-4 * min(1.0, 2 - 2 * progress)
            other = index if subject.is_paired else int(draw.integers(len(second)))
            ways = [
                (tuple(draw.integers(0, ENLARGED - SIDE + 1, 2).tolist()), bool(draw.random() < 0.5)) for _ in range(2)
            ]
            if subject.is_paired:
                ways[1] = ways[0]
            batch = {"A": changed(first[index], *ways[0])[None], "B": changed(second[other], *ways[1])[None]}
            model.set_input({**batch, "A_paths": [], "B_paths": []})
            model.optimize_parameters()
            steps += 1


def the_peer(
    subject: Subject, folder: Path, options: argparse.Namespace, seed: int, *, parameters: int
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Train the peer at its better number of threads and return (its translations of every way, what happened)."""
    width = matched_width(options.peer, subject, parameters, folder)
    trial, rates = min(THREAD_TRIAL_SECONDS, 6 * options.minutes), {}
    for threads in range(1, (os.cpu_count() or 1) + 1):
        torch.set_num_threads(threads)
        rates[threads] = run_peer(options.peer, subject, width=width, seconds=trial, seed=seed, folder=folder)[1]
    best = max(rates, key=lambda threads: rates[threads])
    torch.set_num_threads(best)
    seconds = 60 * options.minutes
    model, steps = run_peer(options.peer, subject, width=width, seconds=seconds, seed=seed, folder=folder)
    torch.set_num_threads(os.cpu_count() or 1)
    made = []
    for given, _ in subject.ways:
        # Its tests keep the statistics of the batch and the dropout of training for pairs, and one image is one batch.
        network = model.netG if subject.is_paired else (model.netG_A if given == 0 else model.netG_B)
        with torch.no_grad():
            images = [network(image[None])[0] for image in as_tensor(subject.images[given]["test"])]
        made.append(as_pixels(torch.stack(images)))
    return made, {"width": width, "parameters": count_of(model), "images": steps, "threads": best, "rates": rates}


def sheet(subject: Subject, made: list[np.ndarray], path: Path) -> None:
    """Write the first held-out images, their translations and the real ones, one below the other."""
    from PIL import Image

    rows = []
    for (given, wanted), images in zip(subject.ways, made):
        rows += [
            subject.images[given]["test"],
            images,
            *([subject.images[wanted]["test"]] if subject.is_paired else []),
        ]
    lines = [np.concatenate(list(row[:10].transpose(0, 2, 3, 1)), 1) for row in rows]
    Image.fromarray(np.concatenate(lines)).save(path)


def measured(subject: Subject, folder: Path, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Run both sides once and return what each reached."""
    folder.mkdir(parents=True)
    made, about = ours(subject, folder, options, seed)
    sides = {"makar": (made, about)}
    if options.peer:
        sides["peer"] = the_peer(subject, folder, options, seed, parameters=about["parameters"])
    found = {}
    for side, (images, happened) in sides.items():
        found[side] = {**subject.figures(images), **happened}
        shown = {key: value for key, value in happened.items() if key not in ("family", "optimisation")}
        print(f"{subject.name} seed {seed} {side}:", subject.figures(images), shown, flush=True)
        if options.sheets:
            options.sheets.mkdir(parents=True, exist_ok=True)
            sheet(subject, images, options.sheets / f"{subject.name}-{side}-{seed}.png")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="a checkout of pytorch-CycleGAN-and-pix2pix. Absent: ours alone")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=SUBJECTS)
    parser.add_argument("--set", nargs="*", default=[], help="further settings of our recipe")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "minutes": options.minutes, "subjects": []}
    with tempfile.TemporaryDirectory() as place:
        os.environ.setdefault("MAKAR_HOME", place)
        for name in options.subjects:
            torch.set_num_threads(os.cpu_count() or 1)
            subject = Subject(name, Path(place))
            anchors = subject.anchors()
            print(f"{name}: extractor {subject.extractor.name}; {anchors}", flush=True)
            runs = [measured(subject, Path(place) / f"{name}-{seed}", options, seed) for seed in range(options.seeds)]
            result["subjects"].append(
                {"name": name, "extractor": subject.extractor.name, "anchors": anchors, "runs": runs}
            )
            for figure in anchors["real"]:
                means = {side: mean_interval([run[side][figure] for run in runs]) for side in runs[0]}
                words = ", ".join(f"{side} {value:.3f} +- {half:.3f}" for side, (value, half) in means.items())
                ratio = means["makar"][0] / means["peer"][0] if "peer" in means else math.nan
                print(f"{name} {figure}: {words}; ours over the peer's {ratio:.3f}", flush=True)
    write_result("translation", result)


if __name__ == "__main__":
    main()

"""Does feedback move a model of images, and does a learned taste know a person better than popularity does?

Run: python benchmarks/feedback.py images|taste [--steps 600] [--rated 160] [--seeds 0]

images: a model learns 4,000 pictures of cifar10; of its own samples a simulated person rates some by stars, the redder the better (and, as
a twin that has to go the other way, the bluer). The model tunes itself by that feedback (``train feedback: --from``). Then as many new
samples of the same seeds are compared: how much redder they have become, in deviations of the model before, paired, with an interval;
beside the same training in which every rated picture counts alike. Bars: the interval lies above 0 for red and below 0 for blue.

taste: simulated people on real pictures of cifar10: what they like is partly common (colourful pictures), partly their own (a colour, a
brightness, classes), with noise. Each rates 40 pictures by stars; of 200 others, in pairs, it is told which each likes better: by their
own learned taste, by that of all, and by popularity, the mean stars that others gave. Bar: the interval of the difference between own
taste and popularity, paired by person, lies above 0. Ends with 1 where a bar is missed.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import data_folder, machine, mean_interval, write_result

PICTURES, SHOWN = 4000, 160
PEOPLE, RATED_BY_EACH, OTHERS = 24, 40, 200


def pictures(part: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures uint8 ``[pictures, 32, 32, 3]`` and their classes."""
    import pyarrow.parquet
    from PIL import Image

    rows = pyarrow.parquet.read_table(data_folder() / "cifar10" / f"{part}.parquet").slice(0, most).to_pylist()
    images = [np.asarray(Image.open(io.BytesIO(row["image"])).convert("RGB")) for row in rows]
    return np.stack(images), np.array([row["label"] for row in rows])


def redness(images: np.ndarray) -> np.ndarray:
    """Return how much redder than blue each picture is."""
    return (images[..., 0].astype(float) - images[..., 2]).mean((1, 2)) / 255


def stars(values: np.ndarray) -> np.ndarray:
    """Return 1 to 5 stars, a fifth of the values each."""
    return 1 + np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values)


def tuned(folder: Path, given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train, rate, tune, and return how far samples have moved."""
    import os

    import makar
    from makar.api import feedback

    os.environ["MAKAR_HOME"] = str(folder / f"home-{seed}")
    images, _ = pictures("train", PICTURES)
    makar.train(images, steps=given.steps, output="painter", recipe="image", seed=seed)
    before = makar.load("painter")
    rated = before.generate(count=given.rated, seed=10_000)
    value = redness(np.stack([asset.content for asset in rated]))
    for rater, wanted in (("red", value), ("blue", -value)):
        for asset, number in zip(rated, stars(wanted)):
            feedback.judge([asset], kind="stars", value=[int(number)], rater=rater)
    old = redness(np.stack([asset.content for asset in before.generate(count=SHOWN, seed=0)]))
    found: dict[str, Any] = {}
    for name, source, settings in (
        ("red", "feedback:red", []),
        ("blue", "feedback:blue", []),
        ("all alike", "feedback:red", ["stages.0.family.preference=10"]),
    ):
        place = name.replace(" ", "-")
        tune = {"steps": max(2, given.steps // 6), "output": place, "from_model": "painter", "settings": settings}
        makar.train(source, seed=seed, **tune)
        new = redness(np.stack([asset.content for asset in makar.load(place).generate(count=SHOWN, seed=0)]))
        moved = (new - old) / old.std()
        mean, half = float(moved.mean()), 1.96 * float(moved.std(ddof=1)) / len(moved) ** 0.5
        found[name] = {"moved": mean, "low": mean - half, "high": mean + half, "spread": float(new.std() / old.std())}
        print(f"seed {seed} {name}: {mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f}) deviations", flush=True)
    print(f"seed {seed} ratio of red to all alike: {found['red']['moved'] / (found['all alike']['moved'] or 1e-9):.1f}")
    found["held"] = found["red"]["low"] > 0 > found["blue"]["high"]
    return found


def judged(images: np.ndarray, labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return how much each person likes each picture, ``[people, pictures]``."""
    plain = images.astype(float) / 255
    colour = plain.mean((1, 2))
    vivid = (plain.max(3) - plain.min(3)).mean((1, 2))
    known = np.concatenate([colour, vivid[:, None]], axis=1)
    known = (known - known.mean(0)) / known.std(0)
    likes = []
    for _ in range(PEOPLE):
        own = known[:, :3] @ draw.normal(0, 0.7, 3) + draw.normal(0, 0.7, 10)[labels]
        likes.append(0.6 * known[:, 3] + own + draw.normal(0, 0.5, len(images)))
    return np.stack(likes)


def tastes(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Return how often each way tells which of two unseen pictures somebody likes better."""
    from PIL import Image

    from makar.data.feedback.judgement import STARS, Judged, Judgement
    from makar.data.feedback.taste import learn_taste

    draw = np.random.default_rng(seed)
    images, labels = pictures("test", 1200)
    likes = judged(images, labels, draw)

    def thing(number: int) -> Judged:
        buffer = io.BytesIO()
        Image.fromarray(images[number]).save(buffer, "PNG")
        return Judged(hash=f"{number:064x}", png=buffer.getvalue())

    people = min(PEOPLE, given.people)
    # The same pictures are rated by several, so that something can be popular.
    shelf = draw.permutation(len(images))[: OTHERS + 2 * RATED_BY_EACH]
    given_stars = np.full((people, len(images)), np.nan)
    said: list[Judgement] = []
    things = {int(number): thing(int(number)) for number in shelf}
    for person in range(people):
        seen = draw.permutation(shelf)[:RATED_BY_EACH]
        given_stars[person, seen] = stars(likes[person, seen])
        for number in seen:
            value = (int(given_stars[person, number]),)
            said.append(
                Judgement(
                    kind=STARS,
                    medium="image",
                    items=(things[int(number)],),
                    value=value,
                    rater=f"p{person}",
                    consent=True,
                )
            )
    right: dict[str, list[float]] = {"own": [], "all": [], "popularity": []}
    everybody = learn_taste(said, medium="image")
    for person in range(people):
        unseen = shelf[np.isnan(given_stars[person, shelf])][:OTHERS]
        others = np.delete(given_stars, person, axis=0)[:, unseen]
        # Of pictures that few have rated the mean is drawn to the middle.
        count = (~np.isnan(others)).sum(0)
        own = learn_taste(said, medium="image", rater=f"p{person}")
        shown = [things[int(number)] for number in unseen]
        guesses = {
            "own": own.rewards(shown),
            "all": everybody.rewards(shown),
            "popularity": (np.nansum(others, axis=0) + 3.0) / (count + 1),
        }
        true = likes[person, unseen]
        one, other = np.triu_indices(len(unseen), 1)
        for name, guess in guesses.items():
            agree = np.sign(guess[one] - guess[other]) * np.sign(true[one] - true[other])
            right[name].append(float((agree > 0).mean() + 0.5 * (agree == 0).mean()))
    found: dict[str, Any] = {name: dict(zip(("mean", "half"), mean_interval(values))) for name, values in right.items()}
    difference, half = mean_interval([one - other for one, other in zip(right["own"], right["popularity"])])
    found["own_less_popularity"] = {"mean": difference, "low": difference - half, "high": difference + half}
    shown_means = ", ".join(f"{name} {found[name]['mean']:.3f}" for name in right)
    print(f"seed {seed} told right: {shown_means}; own less popularity {difference:+.3f} +- {half:.3f}", flush=True)
    print(f"seed {seed} ratio of own taste to popularity: {found['own']['mean'] / found['popularity']['mean']:.2f}")
    found["held"] = difference - half > 0
    return found


def main() -> None:
    """Rate, learn, compare, write."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", choices=("images", "taste"))
    arguments.add_argument("--steps", type=int, default=600)
    arguments.add_argument("--rated", type=int, default=160)
    arguments.add_argument("--people", type=int, default=PEOPLE)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = arguments.parse_args()
    result: dict[str, Any] = {"machine": machine(), "what": given.what, "settings": vars(given), "runs": []}
    with tempfile.TemporaryDirectory() as place:
        for seed in given.seeds:
            run = tuned(Path(place), given, seed) if given.what == "images" else tastes(given, seed)
            result["runs"].append({"seed": seed, **run})
    result["held"] = all(run["held"] for run in result["runs"])
    write_result(f"feedback-{given.what}", result)
    sys.exit(0 if result["held"] else 1)


if __name__ == "__main__":
    main()

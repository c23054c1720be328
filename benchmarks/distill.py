"""Frechet distance of a few-step student against its teacher on fashion_mnist with classes, by number of steps.

Run: python benchmarks/distill.py [--minutes 3] [--student-minutes 3] [--seeds 1] [--samples 2000] [--teacher MODEL] [--set A.B=C]

A teacher is trained with ``makar train --for`` (or given), a student of two steps with ``--recipe distill --from``. Both make as many
images of each class, the teacher in its default of 10 steps and in 1, 2 and 4. Judged as in ``fashion_torchcfm``: by the
features of one small classifier of the real training part; the floor is the official test part. Bars: the student in 2 steps at most a
fifth of the teacher in 2, and at most 1.5 times the teacher in its default. It ends with 1 where a bar is missed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from fashion_torchcfm import features, frechet, our_samples, real, train_extractor
from measure import data_folder, machine, timed, write_result

TEACHER_STEPS, STUDENT_STEPS = (1, 2, 4, 10), (2,)


def trained(data: Path, home: Path, name: str, minutes: float, seed: int, *more: str) -> Path:
    """Train a model by the shell and return its folder."""
    command = [sys.executable, "-m", "makar", "train", str(data), "--for", f"{minutes}m", "--seed", str(seed)]
    timed([*command, *more, "-o", str(home / name), "--json"], environment={"MAKAR_HOME": str(home)})
    return home / name


def distances(model: Path, steps: tuple[int, ...], judge, *, a_class: int) -> dict[int, float]:
    """Return the distance by number of steps."""
    found = {}
    for count in steps:
        samples, seconds = our_samples(model, {"steps": count}, a_class)
        found[count] = judge(samples)
        print(f"{model.name}, {count} steps: {found[count]:.2f} ({seconds:.0f} s)", flush=True)
    return found


def main() -> int:
    """Measure, write the result and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--student-minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--extractor-epochs", type=int, default=4)
    parser.add_argument("--teacher", type=Path, help="a saved model to take instead of training one")
    parser.add_argument("--set", action="append", default=[], help="settings of the student's recipe")
    options = parser.parse_args()
    a_class = options.samples // 10
    images, labels, test_images, test_labels = real()
    extractor = train_extractor(images, labels, epochs=options.extractor_epochs)
    reference = features(extractor, images)
    picked = np.concatenate([np.flatnonzero(test_labels == label)[:a_class] for label in range(10)])
    floor = frechet(features(extractor, test_images[picked]), reference)
    result: dict = {"machine": machine(), "samples": options.samples, "floor": floor, "runs": []}
    print(f"real against real, {options.samples:,} images: {floor:.3f}", flush=True)
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "fashion_mnist.npz"
        data.symlink_to(data_folder() / "fashion_mnist" / "fashion_mnist.npz")
        for seed in range(options.seeds):
            home = Path(folder) / str(seed)
            teacher = options.teacher or trained(
                data, home, "teacher", options.minutes, seed, "--recipe", "image-class"
            )
            more = [word for setting in options.set for word in ("--set", setting)]
            grown = ("--recipe", "distill", "--from", str(teacher), *more)
            student = trained(data, home, "student", options.student_minutes, seed, *grown)

            def judge(samples: np.ndarray) -> float:
                return frechet(features(extractor, samples), reference)

            with torch.inference_mode():
                teachers = distances(teacher, TEACHER_STEPS, judge, a_class=a_class)
                students = distances(student, STUDENT_STEPS, judge, a_class=a_class)
            run = {
                "seed": seed,
                "teacher": teachers,
                "student": students,
                "teacher_in_2_over_student_in_2": teachers[2] / students[2],
                "student_in_2_over_teacher_default": students[2] / teachers[10],
            }
            print(f"teacher in 2 / student in 2: {run['teacher_in_2_over_student_in_2']:.2f} (bar 5)")
            print(
                f"student in 2 / teacher's default: {run['student_in_2_over_teacher_default']:.2f} (bar 1.5)",
                flush=True,
            )
            missed |= run["teacher_in_2_over_student_in_2"] < 5 or run["student_in_2_over_teacher_default"] > 1.5
            result["runs"].append(run)
    write_result("distill", result)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

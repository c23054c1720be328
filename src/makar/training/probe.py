"""Measures what this machine does with a given family and batch: number format, workers, threads and speed, in seconds.

Nothing is assumed: two threads can be ten times slower than one for small networks (many tiny operations meet a spinning barrier), and
bfloat16 is several times faster than float32 on one processor and slower on the next. Each candidate takes a few steps on random
data of the right shapes, under a cap of time; the fastest wins. The peak of the machine is measured with plain matrix products.
The timing function is passed in, so that a test can be a machine of any kind.
"""

import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from makar.families.family import Batch, Phase, build_family
from makar.families.family_config import FamilyConfig
from makar.recipe import OptimisationConfig
from makar.tensor_spec import TensorSpec
from makar.training.learner import Learner
from makar.training.randomness import torch_generator
from makar.training.workers import gradients_of

WARM_STEPS = 2
TIMED_STEPS = 5
PRODUCT_SIZE = {"cpu": 768, "cuda": 4096}
SMALL_PRODUCT_SIZE = 128
HOPELESS_FORMAT = 8.0
"""A number format in which a small product takes so many times as long as in another is not timed: without instructions for it bfloat16
takes eighty times as long, and a few steps of a network would take minutes."""
HOPELESS_FACTOR = 2.0
HOPELESS_COOPERATION = 3.0
GOOD_SHARE = 0.7
"""Workers that bring this share of their number leave nothing for threads to win."""
ELEMENTS_A_THREAD = 32768
SMALL_OPERATIONS = 40
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to run: ``precision`` of matrix products, ``threads`` inside an operation, ``workers`` on parts of the batch."""

    precision: str
    threads: int
    workers: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the probe found.

    Attributes:
        best: The fastest way.
        step_seconds: Seconds a step, by candidate; ``inf`` for those that were not finished because they could not win.
        peak_operations_per_second: Best matrix product in the winning number format with the winning threads.
        seconds: What the probe took.
    """

    best: Candidate
    step_seconds: dict[Candidate, float]
    peak_operations_per_second: float
    seconds: float


def candidates(
    device: str, *, precision: str = "auto", processors: int | None = None, most_workers: int = 1
) -> list[Candidate]:
    """Return the ways worth measuring, the likeliest first: one thread, then workers, then threads, doubling up to all processors.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        precision: ``"auto"`` for both number formats, otherwise the one that was asked for.
        processors: Processors this process may use; by default asked of the system.
        most_workers: Parts that a batch can be cut into; 1 for families whose losses cannot be computed at once.
    """
    formats = ["bfloat16", "float32"] if precision == "auto" else [precision]
    ways = [Candidate(name, 1) for name in formats]
    if device != "cpu":
        return ways
    available = processors or len(os.sched_getaffinity(0))
    counts = [2**power for power in range(1, available.bit_length()) if 2**power <= available]
    ways += [Candidate(name, 1, count) for count in counts if count <= most_workers for name in formats]
    return ways + [Candidate(name, count) for count in counts for name in formats]


def fastest(
    ways: list[Candidate], time_step: Callable[[Candidate, float], float], *, limit_seconds: float
) -> dict[Candidate, float]:
    """Time candidates and return their seconds a step.

    More workers or threads are tried with the better number format only, as long as doubling them helps; threads only where as many
    workers did not bring most of what they could.

    Args:
        ways: From ``candidates``.
        time_step: From a candidate and the best seconds a step so far to its seconds a step, ``inf`` when it gave up.
        limit_seconds: No further candidate is begun after this time.
    """
    found: dict[Candidate, float] = {}
    begin = time.monotonic()
    for way in ways:
        if found and time.monotonic() - begin > limit_seconds:
            break
        if found and max(way.threads, way.workers) > 1 and not _is_worth_trying(way, found):
            continue
        found[way] = time_step(way, min(found.values(), default=float("inf")))
    return found


def _is_worth_trying(way: Candidate, found: dict[Candidate, float]) -> bool:
    alone = {key: seconds for key, seconds in found.items() if key.threads == key.workers == 1}
    base = min(alone, key=lambda key: alone[key], default=None)
    if base is None:
        return True
    if way.precision != base.precision:
        return False
    if way.threads > 1:
        with_workers = found.get(Candidate(way.precision, 1, way.threads), float("inf"))
        if found[base] / with_workers > GOOD_SHARE * way.threads:
            return False
    half, quarter = (
        found.get(Candidate(way.precision, max(1, way.threads // part), max(1, way.workers // part))) for part in (2, 4)
    )
    is_second = max(way.threads, way.workers) == 2
    return half is not None and (is_second or quarter is None or half < quarter)


def probe(
    family: FamilyConfig,
    *,
    optimisation: OptimisationConfig,
    spec: TensorSpec,
    device: str,
    limit_seconds: float,
    ways: list[Candidate] | None = None,
) -> Measurement:
    """Measure a family on this machine.

    Args:
        family: Settings with all sizes.
        optimisation: Gives the batch and the precision that was asked for.
        spec: Slots of the data, for random batches of the right shapes.
        device: ``"cpu"`` or ``"cuda"``.
        limit_seconds: About how long the probe may take.
        ways: Candidates; by default all.
    """
    begin = time.monotonic()
    threads_before = torch.get_num_threads()
    network = build_family(family)
    network.initialise(torch_generator(0, "probe"))
    if (teacher := family.teacher()) is not None:
        # Its weights do not matter for the time it takes.
        beside = build_family(teacher)
        beside.initialise(torch_generator(0, "probe"))
        network.attach(beside.to(device))
    learner = Learner(network.to(device).train(), optimisation=optimisation)
    batch = random_batch(family, spec, batch_size=optimisation.batch_size, device=device)

    def loss_of(phase: Phase, own: Batch, draw: int) -> Tensor:
        if phase.batch is not None:
            with torch.no_grad():
                own = phase.batch(own, torch_generator(0, "batch", draw))
        return phase.loss(own, torch_generator(0, "loss", draw)).value

    def step(draw: int, workers: int) -> None:
        with torch.no_grad():
            prepared = network.prepare(batch, torch_generator(0, "prepare", draw))
        for phase in learner.phases:
            if draw % phase.every:
                continue
            learner.focus(phase)
            optimiser = learner.optimisers[phase.optimiser]
            optimiser.clear()
            tasks = [functools.partial(loss_of, phase, part, draw) for part in parts_of(prepared, workers)]
            gradients_of(tasks, optimiser.parameters, workers=workers)
            optimiser.step(0.0, gradient_clip=optimisation.gradient_clip)
        if device != "cpu":
            torch.cuda.synchronize()

    def time_step(way: Candidate, best: float) -> float:
        if not threads_cooperate(way.threads):
            return float("inf")
        torch.set_num_threads(way.threads)
        network.precision = way.precision
        # The first step of the first candidate allocates; the first of each chooses kernels.
        for draw in range(WARM_STEPS):
            start = time.monotonic()
            step(draw, way.workers)
            taken = time.monotonic() - start
            if taken > max(10 * HOPELESS_FACTOR * best, limit_seconds):
                return taken
            if taken > 0.1 * limit_seconds:
                break
        times: list[float] = []
        start = time.monotonic()
        while len(times) < TIMED_STEPS or (len(times) < 50 and time.monotonic() - start < 0.05 * limit_seconds):
            now = time.monotonic()
            step(len(times), way.workers)
            times.append(time.monotonic() - now)
            if sum(times) > limit_seconds / 3 or times[-1] > 5 * HOPELESS_FACTOR * best:
                break
        # The lower quartile: other programs disturb some steps, and the minimum would be luck.
        return sorted(times)[len(times) // 4]

    most_workers = optimisation.batch_size if network.concurrent else 1
    if ways is None:
        ways = candidates(device, precision=optimisation.precision, most_workers=most_workers)
        promising = promising_formats({way.precision for way in ways}, device=device)
        ways = [way for way in ways if way.precision in promising]
    found = fastest(
        ways,
        time_step,
        limit_seconds=limit_seconds,
    )
    best = min(found, key=lambda key: found[key])
    torch.set_num_threads(best.threads * best.workers)
    peak = product_operations_per_second(best.precision, device=device)
    torch.set_num_threads(threads_before)
    return Measurement(
        best=best,
        step_seconds=found,
        peak_operations_per_second=peak,
        seconds=time.monotonic() - begin,
    )


def promising_formats(formats: Collection[str], *, device: str) -> set[str]:
    """Return the number formats in which a small product takes not far longer than in the fastest of them."""
    if len(formats) == 1 or device != "cpu":
        return set(formats)
    seconds = {name: _product_seconds(SMALL_PRODUCT_SIZE, name, device=device, repeats=2) for name in formats}
    return {name for name, taken in seconds.items() if taken <= HOPELESS_FORMAT * min(seconds.values())}


def parts_of(batch: Batch, count: int) -> list[Batch]:
    """Return a batch cut into parts of about the same size."""
    rows = len(next(iter(batch.values())))
    edges = [rows * part // count for part in range(count + 1)]
    return [{name: tensor[start:end] for name, tensor in batch.items()} for start, end in itertools.pairwise(edges)]


def threads_cooperate(threads: int) -> bool:
    """Return whether a few small operations on several threads take less than thrice their time on one.

    On a busy machine the threads wait for each other at every operation, and one step of a network would take seconds; this takes a
    few hundredths of one.
    """
    if threads == 1:
        return True
    values = torch.ones(threads * ELEMENTS_A_THREAD)
    seconds = []
    for count in (1, threads):
        torch.set_num_threads(count)
        values.add_(0.0)  # starts the threads
        start = time.perf_counter()
        for _ in range(SMALL_OPERATIONS):
            values.add_(0.0)
        seconds.append(time.perf_counter() - start)
    return seconds[1] < HOPELESS_COOPERATION * seconds[0]


def random_batch(family: FamilyConfig, spec: TensorSpec, *, batch_size: int, device: str) -> Batch:
    """Return a batch of random data of the shapes that the trainer will draw."""
    generator = torch_generator(0, "random batch")
    batch: Batch = {}
    for name, slot in spec.slots.items():
        varying = slot.usual or family.window_length + 1
        sizes = [varying if size is None else size for size in slot.sizes]
        if slot.kind == "tokens":
            tensor = torch.randint(slot.vocabulary or 2, (batch_size, *sizes), generator=generator)
        else:
            spread = slot.maximum - slot.minimum
            tensor = slot.minimum + spread * torch.rand(batch_size, *sizes, generator=generator)
        batch[name] = tensor.to(device)
    return batch


def product_operations_per_second(precision: str, *, device: str) -> float:
    """Return operations a second of a large matrix product, the best of a few."""
    size = PRODUCT_SIZE[device]
    return 2.0 * size**3 / _product_seconds(size, precision, device=device, repeats=6)


def _product_seconds(size: int, precision: str, *, device: str, repeats: int) -> float:
    left = torch.ones(size, size, dtype=DTYPES[precision], device=device)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        left @ left
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best

"""How a sound goes on for some hundredths of a second, from nothing but what was heard: linear prediction.

The weights are Burg's (1975): every step takes the reflection of least error forward and backward, so that what goes on dies away in the
end; on the way there it is held to the loudest that was heard. It is right for as long as a voice or a tone keeps its pitch; it holds the
edges of a hole together and does not fill it (Janssen, Veldhuis and Vries 1986 interpolate holes of a few hundredths of a second so).
"""

import numpy as np

ORDER = 32
CONTEXT_SECONDS = 0.1
"""How much is listened to: a few periods of a voice, and not yet another sound."""


def burg(samples: np.ndarray, *, order: int) -> np.ndarray:
    """Return the weights of linear prediction: the next sample is their sum with the last ones, the latest first.

    Args:
        samples: float ``[samples]``, more than twice as many as the order.
        order: How many samples count.

    Returns:
        float64 ``[order]``.
    """
    forward, backward = samples[1:].astype(np.float64), samples[:-1].astype(np.float64)
    whitening = np.ones(1)
    for _ in range(order):
        energy = forward @ forward + backward @ backward
        reflection = -2 * (forward @ backward) / energy if energy > 0 else 0.0
        whitening = np.append(whitening, 0) + reflection * np.append(0, whitening[::-1])
        forward, backward = (forward + reflection * backward)[1:], (backward + reflection * forward)[:-1]
    result: np.ndarray = -whitening[1:]
    return result


def continued(samples: np.ndarray, count: int, *, order: int = ORDER) -> np.ndarray:
    """Return the samples that come next.

    Args:
        samples: What was heard, float ``[samples]``; with too little of it silence comes next.
        count: How many.
        order: How many of the last samples each is predicted from; fewer where little was heard.

    Returns:
        float64 ``[count]``, none louder than what was heard.
    """
    used = min(order, len(samples) // 3)
    made = np.zeros(used + count)
    if used:
        made[:used] = samples[-used:]
        weights = burg(samples, order=used)[::-1]
        for place in range(used, len(made)):
            made[place] = weights @ made[place - used : place]
    loudest = np.abs(samples).max(initial=0.0)
    return np.clip(made[used:], -loudest, loudest)


def edges(before: np.ndarray, after: np.ndarray, count: int, *, rate_hz: int, seconds: float) -> np.ndarray:
    """Return a hole in which what is before it goes on and what is after it comes up, each for so long, with silence between.

    Args:
        before: Samples before the hole, float ``[samples]``; there may be none.
        after: Samples behind it; there may be none.
        count: Samples of the hole.
        rate_hz: Samples a second.
        seconds: How long each goes on; it is faded out in its second half.

    Returns:
        float32 ``[count]``.
    """
    reach, context = min(count, round(seconds * rate_hz)), round(CONTEXT_SECONDS * rate_hz)
    fading = np.clip(2 - 2 * (np.arange(reach) + 1) / (reach + 1), 0, 1)
    hole = np.zeros(count)
    hole[:reach] += fading * continued(before[-context:], reach)
    hole[count - reach :] += (fading * continued(after[:context][::-1], reach))[::-1]
    result: np.ndarray = hole.astype(np.float32)
    return result

"""``edit`` of films without a model: joined, cut, played faster or slower, with their own sound, another, or none; and as single pictures.

Films are first joined, then what is kept is cut out, then the speed is changed, then the sound is seen to. Frames are never mixed: at
every time of the result stands the picture that was seen then, so that what is not changed comes out as it was, before it is coded, and
bit for bit from MKV, APNG or pictures to any of these. What is written carries a signed manifest like all that models make, with those of
the films it was made of; where a trained algorithm made or changed one of them, the result says so too.
"""

import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from makar.artifacts.save import utc_now
from makar.codecs.image_fit import fit_image
from makar.config import Config, setting
from makar.data.film_sound import fitted
from makar.data.sound import Sound, resampled
from makar.data.video_file import FORMS, usual_form
from makar.errors import UnknownNameError, UnsupportedError, UsageError
from makar.generation.asset import Asset
from makar.generation.filming import film_of, read_film_form
from makar.generation.given_film import GivenFilm, open_film
from makar.generation.soundtrack import KEEP, REMOVE, Soundtrack, soundtrack
from makar.generation.stretching import at_speed
from makar.provenance import manifest as signing
from makar.provenance.content import describe_content
from makar.provenance.embedding import COMPOSITE_SOURCE_TYPE, HUMAN_SOURCE_TYPE, SOURCE_TYPE
from makar.provenance.keys import signing_key
from makar.version import VERSION

MOST_FILMS = 64
LONGEST_SECONDS = 3600.0
MOST_SECONDS = MOST_FILMS * LONGEST_SECONDS
"""Of films that are joined, before any of it is left out."""

PICTURES = "frames"
"""The form of a film as single pictures, one asset each."""

MOST_PICTURES = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilmEditRequest(Config):
    """What is to be done to films; nothing writes them in another form."""

    kind: ClassVar[str] = ""

    start: float | None = setting(
        None, meaning="where what is kept begins", unit="seconds", minimum=0.0, maximum=MOST_SECONDS
    )
    end: float | None = setting(
        None, meaning="where what is kept ends; none is the end", unit="seconds", minimum=0.0, maximum=MOST_SECONDS
    )
    speed: float | None = setting(
        None, meaning="2 is twice as fast, 0.5 half as fast; the pitch of the sound stays", minimum=0.1, maximum=10.0
    )
    shift_pitch: bool = setting(False, meaning="with a speed: the pitch follows it, as with a tape")
    rate_hz: float | None = setting(
        None,
        meaning="frames a second of the result, and of a folder of pictures; none takes the rate of the first film",
        minimum=0.1,
        maximum=60.0,
    )
    sound: Any = setting(None, meaning=f'"{KEEP}", which none is too, "{REMOVE}", or a file in place of it')


def edit_films(
    sources: Sequence[Any], how: FilmEditRequest | Mapping[str, Any] | None = None, *, form: str | None = None
) -> Iterator[Asset]:
    """Join films, cut them, change their speed or their sound, or write them in another form.

    Args:
        sources: Files, folders of numbered pictures, or clips; several are joined in this order.
        how: What is to be done; see ``FilmEditRequest``.
        form: Of ``makar.data.video_file.FORMS``, or ``"frames"`` for single pictures; ``None`` takes WebM.

    Yields:
        One signed film, or its pictures in their order.

    Raises:
        UsageError: There is nothing to do, no such file, or what is kept is not in the film.
        UnsupportedError: Something is asked for that needs a model, or that the form cannot hold.
        DataError: A file is no film, or damaged.
    """
    asked = _read_request(how)
    if form != PICTURES:
        read_film_form({} if form is None else {"format": form})
    if not 1 <= len(sources) <= MOST_FILMS:
        raise UsageError(f"{len(sources)} films", expected=f"1 to {MOST_FILMS}")
    if asked == FilmEditRequest() and len(sources) == 1 and form is None:
        raise UsageError(
            "nothing says what to do with the film",
            expected="a second film, what is kept of it, a speed, a rate, a sound, or another form",
        )
    if asked.shift_pitch and asked.speed is None:
        raise UsageError("a pitch that follows, and no speed", expected="a speed")
    if form == PICTURES and asked.sound not in (None, REMOVE):
        raise UnsupportedError("sound of single pictures", expected="a film")
    return _made(_plan([open_film(source, rate_hz=asked.rate_hz) for source in sources], asked), form)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """What is made of which films: sizes and lengths are settled before anything is written.

    Attributes:
        films: What is joined.
        asked: What is done.
        rate_hz: Frames a second of the result.
        counts: Frames that each film comes to at that rate.
        first: The first frame of the joined films that is kept.
        last: The first that is not, again.
        count: Frames of the result.
    """

    films: list[GivenFilm]
    asked: FilmEditRequest
    rate_hz: float
    counts: list[int]
    first: int
    last: int
    count: int

    @property
    def speed(self) -> float:
        return self.asked.speed or 1.0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first film, which all others get."""
        return self.films[0].height, self.films[0].width


def _plan(films: list[GivenFilm], asked: FilmEditRequest) -> _Plan:
    rate = asked.rate_hz or films[0].rate_hz
    counts = [max(1, round(film.count / film.rate_hz * rate)) for film in films]
    total = sum(counts)
    first = round((asked.start or 0.0) * rate)
    last = total if asked.end is None else round(asked.end * rate)
    if not 0 <= first < last <= total:
        raise UsageError(
            f"what lies from {asked.start or 0.0:g} to {total / rate if asked.end is None else asked.end:g} seconds",
            expected=f"at least one frame of {total / rate:.3f} seconds, the end after the beginning",
        )
    count = max(1, round((last - first) / (asked.speed or 1.0)))
    if count / rate > LONGEST_SECONDS:
        raise UnsupportedError(
            f"a film of {count / rate:.0f} seconds", expected=f"at most {LONGEST_SECONDS:.0f}", do="keep less of it"
        )
    return _Plan(films=films, asked=asked, rate_hz=rate, counts=counts, first=first, last=last, count=count)


def _made(plan: _Plan, form: str | None) -> Iterator[Asset]:
    if form == PICTURES:
        yield from _pictures(plan)
        return
    track = soundtrack(plan.asked.sound, _own_sound(plan), seconds=plan.count / plan.rate_hz)
    source_type = _source_type([film.mark for film in plan.films] + ([track.mark] if track.mark else []))
    with contextlib.closing(_frames(plan)) as frames:
        film = film_of(
            frames, form or usual_form(), rate_hz=plan.rate_hz, source_type=source_type, sound=track.sound
        )  # fmt: skip
    yield _signed(film, "video", plan, source_type, track=track, form=film.form)


def _pictures(plan: _Plan) -> Iterator[Asset]:
    if plan.count > MOST_PICTURES:
        raise UnsupportedError(
            f"{plan.count} pictures", expected=f"at most {MOST_PICTURES}", do="keep less of the film"
        )
    source_type = _source_type([film.mark for film in plan.films])
    with contextlib.closing(_frames(plan)) as frames:
        for number, frame in enumerate(frames):
            yield _signed(frame, "image", plan, source_type, frame=number)


def _frames(plan: _Plan) -> Generator[np.ndarray, None, None]:
    """Yield the frames of the result."""
    joined = itertools.chain.from_iterable(
        _retimed(_fitted(film, plan.size), step=film.rate_hz / plan.rate_hz, count=count)
        for film, count in zip(plan.films, plan.counts, strict=True)
    )
    return _retimed(itertools.islice(joined, plan.first, plan.last), step=plan.speed, count=plan.count)


def _fitted(film: GivenFilm, size: tuple[int, int]) -> Iterator[np.ndarray]:
    height, width = size
    for frame in film.pictures():
        yield fit_image(frame, height=height, width=width, fit="pad")


def _retimed(frames: Iterable[np.ndarray], *, step: float, count: int) -> Generator[np.ndarray, None, None]:
    """Yield ``count`` frames: the one that is seen in the middle of each new one, which is ``step`` of the old ones long."""
    made, held = 0, None
    for number, frame in enumerate(frames):
        held = frame
        while made < count and int((made + 0.5) * step) <= number:
            yield frame
            made += 1
    while made < count and held is not None:
        yield held
        made += 1


def _own_sound(plan: _Plan) -> Sound | None:
    """Return what is heard of the films, joined, cut and at the new speed; ``None`` where none has sound or it is not wanted."""
    if plan.asked.sound not in (None, KEEP):
        return None
    tracks = [film.sound() for film in plan.films]
    heard = [track for track in tracks if track is not None]
    if not heard:
        return None
    rate, channels = heard[0].rate_hz, max(track.samples.shape[1] for track in heard)
    parts = []
    for track, count in zip(tracks, plan.counts, strict=True):
        length = round(count / plan.rate_hz * rate)
        if track is None:
            parts.append(np.zeros((length, channels), np.float32))
            continue
        samples = fitted(resampled(track, rate), length).samples
        parts.append(samples if samples.shape[1] == channels else np.repeat(samples, channels, 1))
    joined = np.concatenate(parts)
    start, end = (round(place / plan.rate_hz * rate) for place in (plan.first, plan.last))
    kept = Sound(np.ascontiguousarray(joined[start:end]), rate)
    length = round(plan.count / plan.rate_hz * rate)
    return at_speed(kept, plan.speed, samples=length, shift_pitch=plan.asked.shift_pitch)


def _remarks(plan: _Plan) -> list[str]:
    """Return what had to be made to fit, in words."""
    height, width = plan.size
    found = []
    for number, film in enumerate(plan.films, start=1):
        if (film.height, film.width) != (height, width):
            found.append(f"film {number} of {film.width} x {film.height} pixels is shown whole in {width} x {height}")
        if film.rate_hz != plan.rate_hz:
            found.append(f"film {number} of {film.rate_hz:g} frames a second is shown at {plan.rate_hz:g}")
    return found


def _source_type(marks: list[str | None]) -> str:
    """Return the IPTC word of what is made of films: nothing that a trained algorithm had a part in loses its mark."""
    if all(mark == SOURCE_TYPE for mark in marks):
        return SOURCE_TYPE
    return COMPOSITE_SOURCE_TYPE if any(mark is not None for mark in marks) else HUMAN_SOURCE_TYPE


def _signed(
    content: Any, medium: str, plan: _Plan, source_type: str, *, track: Soundtrack | None = None, **further: Any
) -> Asset:
    settings = {name: value for name, value in plan.asked.to_dictionary().items() if name != "sound"}
    edit: dict[str, Any] = {
        "operation": "film",
        "settings": {name: value for name, value in settings.items() if value not in (None, False)},
        "sources": [film.stated for film in plan.films],
        "remarks": [*_remarks(plan), *(track.remarks if track is not None else ())],
        **further,
    }
    if track is not None:
        edit["sound"] = track.stated
    statement: dict[str, Any] = {
        "schema": signing.SCHEMA,
        "type": "asset",
        "system": {"name": "makar", "version": VERSION},
        "source_type": source_type,
        "time_utc": utc_now(),
        "medium": medium,
        "artifact": None,
        "run": None,
        "data": None,
        "previous": _previous(plan),
        "prompt": None,
        "continues_characters": 0,
        "seed": None,
        "guards": [],
        "novelty": None,
        "edit": edit,
        "content": describe_content(content),
    }
    statement["id"] = hashlib.sha256(signing.canonical_json(statement)).hexdigest()[:32]
    return Asset(content=content, medium=medium, signed=signing.sign(statement, signing_key()), novelty=None)


def _previous(plan: _Plan) -> str | None:
    """Return the hash of the manifest of the first film that has one."""
    known = [film.stated["manifest"]["manifest"] for film in plan.films if "manifest" in film.stated]
    return signing.manifest_hash(known[0]) if known else None


def _read_request(how: FilmEditRequest | Mapping[str, Any] | None) -> FilmEditRequest:
    if isinstance(how, FilmEditRequest):
        return how
    words = {name: value for name, value in (how or {}).items() if value is not None}
    sound = words.pop("sound", None)
    try:
        asked: FilmEditRequest = FilmEditRequest.from_dictionary(words)
    except UnknownNameError as error:
        raise UnsupportedError(
            f'"{error.name}" for a film without a model',
            expected="start, end, speed, shift_pitch, rate_hz, sound",
            do=f"name a model of video first; forms are {', '.join((*FORMS, PICTURES))}",
        ) from error
    return dataclasses.replace(asked, sound=sound)

"""GET /v1/models, /health and /metrics: what there is, whether the server lives, and what it has done."""

from fastapi import Request, Response

from makar.serving.figures import CONTENT_TYPE, Sample
from makar.serving.front import answer, front_of
from makar.serving.places import Place
from makar.serving.process import Event
from makar.version import VERSION


def described(place: Place) -> Event:
    """Return a model in OpenAI's shape, with what it makes and, once it was loaded, what it can."""
    found: Event = {
        "id": place.name,
        "object": "model",
        "created": place.created,
        "owned_by": "makar",
        "medium": place.medium,
        "speaks": place.speaks,
        "hears": place.hears,
        "is_loaded": place.process is not None and place.process.is_alive,
    }
    if place.process is not None:
        names = ("hash", "context", "parameters", "controls", "edits", "predictions", "classes", "captions", "size")
        found["capabilities"] = {name: place.process.facts[name] for name in names}
    return found


async def list_models(request: Request) -> Response:
    """List the models."""
    return answer({"object": "list", "data": [described(place) for place in front_of(request).pool.places]})


async def one_model(request: Request) -> Response:
    """Describe one model."""
    return answer(described(front_of(request).pool.place(request.path_params["model"])))


async def health(request: Request) -> Response:
    """Say that the server lives; the one route without a key."""
    del request
    return answer({"status": "ok", "version": VERSION})


async def metrics(request: Request) -> Response:
    """Say what was counted, for Prometheus."""
    front = front_of(request)
    loaded = [(place, place.process) for place in front.pool.places if place.process is not None]
    gauges: list[tuple[str, str, list[Sample]]] = [
        (
            "makar_model_memory_bytes",
            "Memory of the process of a model.",
            [({"model": place.name}, float(process.memory_bytes())) for place, process in loaded],
        ),
        (
            "makar_model_busy",
            "Pieces of work that a model has.",
            [({"model": place.name}, float(process.busy)) for place, process in loaded],
        ),
        (
            "makar_model_starts",
            "Times that a model was loaded.",
            [({"model": place.name}, float(place.starts)) for place in front.pool.places],
        ),
        (
            "makar_model_deaths",
            "Times that the process of a model died.",
            [({"model": place.name}, float(place.deaths)) for place in front.pool.places],
        ),
        ("makar_waiting", "Requests that have or wait for a model.", [({}, float(front.pool.waiting))]),
    ]
    return Response(front.figures.text(gauges), media_type=CONTENT_TYPE)

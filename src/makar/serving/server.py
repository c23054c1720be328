"""Starting and stopping a server: the port, the key, the models, and what is done when somebody asks it to end.

SIGTERM and Ctrl-C end it gracefully: no new connection is taken, what is being answered may finish for a while, then the models are
unloaded. A second Ctrl-C ends it at once.
"""

import asyncio
import contextlib
import dataclasses
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from makar.errors import MakarError, UsageError
from makar.generation.library import Library
from makar.home import home, library_file
from makar.serving.app import Making, make_app
from makar.serving.batches import Batches
from makar.serving.engines import AUTO, check_engine
from makar.serving.evals import Evals
from makar.serving.figures import Figures
from makar.serving.front import Front
from makar.serving.guard import LOOPBACK, Rules
from makar.serving.places import REMOTE
from makar.serving.pool import Pool
from makar.serving.shelf import Shelf
from makar.serving.stores import Stores
from makar.serving.studio.folders import Folders
from makar.serving.studio.readings import MOST_READINGS, Readings
from makar.serving.tuning import Trainings
from makar.serving.videos import Videos

KEY_VARIABLE = "MAKAR_SERVE_KEY"
SHORTEST_KEY = 16
MEMORY_SHARE = 0.8
"""Of the memory of the machine that models may take where nothing is said."""

GRACE_SECONDS = 10
MOST_VIDEOS = 1000
"""That are kept; the oldest give way, and those that wait are never that many."""

MOST_CONNECTIONS = 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a server is to be.

    Attributes:
        models: Names or folders of the models that it has and loads at its start; empty for every saved model, loaded when asked for.
        host: Address that it listens on.
        port: 0 takes a free one.
        key_file: File with the key; ``None`` takes the key of the environment, where there is one.
        origins: Origins of pages that may ask.
        requests_per_minute: Of one client; 0 is any number.
        most_waiting: Requests that are answered or wait at a time.
        memory_megabytes: What models may take; 0 is four fifths of the memory of the machine.
        most_megabytes: Of a body with files; bodies of JSON may have an eighth of it.
        base_url: Address of the endpoint of models called ``openai:NAME``; ``None`` for that of OpenAI.
        engine: What runs the models; ``"auto"`` takes what each needs.
        data_folders: What the studio may read data from, beside what is brought to it.
        options: Controls that hold where a request says nothing.
    """

    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    key_file: Path | None = None
    origins: tuple[str, ...] = ()
    requests_per_minute: int = 0
    most_waiting: int = 256
    memory_megabytes: int = 0
    most_megabytes: int = 64
    base_url: str | None = None
    engine: str = AUTO
    data_folders: tuple[Path, ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def serve(wanted: Wanted, *, on_start: Callable[[str], None]) -> None:
    """Serve until somebody asks to end.

    Args:
        wanted: What the server is to be.
        on_start: Called with the address when it answers.

    Raises:
        UsageError: It would listen to others without a key, or the key is too short.
        UnknownNameError: There is no such model.
        MakarError: The port is taken.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    key = read_key(wanted.key_file)
    if key is None and wanted.host not in LOOPBACK:
        raise UsageError(
            f"a server on {wanted.host} without a key",
            expected="127.0.0.1, or a key",
            do=f"--key-file FILE, or {KEY_VARIABLE} in the environment",
        )
    rules = Rules(
        key=key,
        origins=wanted.origins,
        requests_per_minute=wanted.requests_per_minute,
        most_bytes=wanted.most_megabytes << 17,
        most_upload_bytes=wanted.most_megabytes << 20,
        data_folders=checked_folders(wanted.data_folders),
    )
    if wanted.base_url is not None and not any(model.startswith(REMOTE) for model in wanted.models):
        raise UsageError(
            "--base-url without a model behind an endpoint",
            expected="openai:NAME among the models",
            do=f"makar serve openai:NAME --base-url {wanted.base_url}",
        )
    check_engine(wanted.engine)
    library = Library(library_file())
    memory = wanted.memory_megabytes << 20 or int(MEMORY_SHARE * psutil.virtual_memory().total)
    pool = Pool(
        wanted.models,
        options=wanted.options,
        memory_bytes=memory,
        most_waiting=wanted.most_waiting,
        base_url=wanted.base_url,
        engine=wanted.engine,
        pace=library.pace,
    )
    folder = home() / "serving"
    front = Front(
        pool=pool,
        figures=Figures(),
        rules=rules,
        files=Shelf(folder / "files", kind="file-"),
        responses=Shelf(folder / "responses", kind="resp_", forgets=True),
        library=library,
    )
    listening = listen(wanted.host, wanted.port)
    with listening:
        trainings = Trainings(Shelf(folder / "jobs", kind="ftjob-"), front.files)
        stores = Stores(folder / "stores", files=front.files, pool=pool)
        batches = Batches(
            Shelf(folder / "batches", kind="batch_"), files=front.files, folder=folder / "batches" / "at-work"
        )
        evals = Evals(
            Shelf(folder / "evals", kind="eval_"),
            runs=Shelf(folder / "eval-runs", kind="evalrun_"),
            files=front.files,
            folder=folder / "eval-runs" / "results",
        )
        videos = Videos(Shelf(folder / "videos", kind="video_", most=MOST_VIDEOS, forgets=True))
        readings = Readings(Shelf(folder / "readings", kind="reading_", most=MOST_READINGS, forgets=True))
        app = make_app(
            front,
            trainings=trainings,
            folders=Folders(Shelf(folder / "folders", kind="folder-")),
            stores=stores,
            batches=batches,
            evals=evals,
            making=Making(videos=videos, readings=readings),
            preload=[place.name for place in pool.places] if wanted.models else [],
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=MOST_CONNECTIONS,
            server_header=False,
            ws="none",
            proxy_headers=False,
        )
        asyncio.run(_Server(config, address_of(listening), on_start).serve(sockets=[listening]))


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, address: str, on_start: Callable[[str], None]) -> None:
        super().__init__(config)
        self._address = address
        self._on_start = on_start

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at SIGTERM and SIGINT, and do not send them on afterwards: an end that was asked for is no failure."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._on_start(self._address)


def checked_folders(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return folders as absolute paths without links.

    Raises:
        UsageError: One is no folder.
    """
    for folder in folders:
        if not folder.expanduser().is_dir():
            raise UsageError(f"{folder} is no folder", expected="--data FOLDER that is there")
    return tuple(folder.expanduser().resolve() for folder in folders)


def read_key(file: Path | None) -> str | None:
    """Return the key, ``None`` where there is none.

    Args:
        file: Where it stands; ``None`` takes that of the environment.

    Raises:
        UsageError: It cannot be read, or is too short.
    """
    key = os.environ.get(KEY_VARIABLE)
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}", expected="a file with a key") from error
    if key is None:
        return None
    if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable():
        raise UsageError(
            f"a key of {len(key)} characters",
            expected=f"at least {SHORTEST_KEY} of ASCII",
            do="python -c 'import secrets; print(secrets.token_urlsafe(32))' > FILE",
        )
    return key


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        MakarError: The port is taken, or the address is not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f'the address "{host}" cannot be used: {error}', expected="one of this machine") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(512)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise MakarError(f"port {port} is taken", do=f"--port {port + 1}, or --port 0 for a free one") from error
        raise UsageError(f"{host}:{port} cannot be used: {error.strerror}", expected="an address of yours") from error
    return listening


def address_of(listening: socket.socket) -> str:
    """Return the address of a socket that listens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

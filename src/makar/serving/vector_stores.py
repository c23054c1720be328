"""/v1/vector_stores: collections of files that are searched, with their files, batches of files, and the search."""

from typing import Any

from fastapi import Request, Response

from makar.errors import ConfigError
from makar.retrieval.index import Index
from makar.serving.bodies import ignored_header, read_fields, read_json
from makar.serving.front import answer, front_of, now
from makar.serving.problems import Problem
from makar.serving.store_fields import (
    AttributeFields,
    StoreBatchFields,
    StoreChangeFields,
    StoreFields,
    StoreFileFields,
    StoreSearchFields,
    checked_attributes,
    checked_expiry,
    checked_metadata,
    chunking_of,
)
from makar.serving.store_files import STATUSES
from makar.serving.store_search import find, wanted_of
from makar.serving.stores import MOST_STORES, Stores, expires_at, is_expired
from makar.serving.uploads import filter_of, page

MOST_IN_BATCH = 500
LONGEST_NAME = 256
POLL_HEADER = "openai-poll-after-ms"
POLL_MILLISECONDS = 200


def stores_of(request: Request) -> Stores:
    """Return the stores of the server that a request came to."""
    stores: Stores = request.app.state.stores
    return stores


def shown(stores: Stores, store: dict[str, Any]) -> dict[str, Any]:
    """Return a store in OpenAI's shape."""
    counts = stores.rows.counts(store["id"])
    status = "expired" if is_expired(store) else "in_progress" if counts["in_progress"] else "completed"
    kept = {name: value for name, value in store.items() if name != "is_given_up"}
    return kept | {
        "object": "vector_store",
        "status": status,
        "file_counts": counts,
        "usage_bytes": stores.rows.usage(store["id"]),
        "expires_at": expires_at(store),
    }


def _waits(is_in_progress: bool) -> dict[str, str]:
    """Return the header that says when to look again."""
    return {POLL_HEADER: str(POLL_MILLISECONDS)} if is_in_progress else {}


async def create_store(request: Request) -> Response:
    """Make a store, with files where some are named."""
    fields, ignored = read_fields(StoreFields, await read_json(request))
    stores, metadata, chunking = stores_of(request), checked_metadata(fields.metadata), None
    if fields.chunking_strategy is not None or fields.file_ids:
        chunking = chunking_of(fields.chunking_strategy)
    _check_name(fields.name)
    expiry, files = checked_expiry(fields.expires_after), listed_ids(fields.file_ids, request)
    if fields.embedding_model is not None:
        front_of(request).pool.place(fields.embedding_model)
    if len(stores.kept.names()) >= MOST_STORES:
        raise Problem(f"{MOST_STORES} stores", status=409, code="too_many_stores", do="delete one")
    name = stores.kept.new_id()
    store = {
        "id": name,
        "created_at": now(),
        "name": fields.name,
        "description": fields.description,
        "metadata": metadata,
        "expires_after": expiry,
        "last_active_at": now(),
        "embedding_model": fields.embedding_model,
        "is_given_up": False,
    }
    stores.kept.put(name, store)
    if chunking is not None:
        stores.attach(name, [(file, {}, chunking) for file in files])
    return answer(shown(stores, store), ignored_header(ignored))


async def list_stores(request: Request) -> Response:
    """List the stores, the newest first."""
    stores = stores_of(request)
    return answer(page([shown(stores, store) for store in stores.kept.all()], request))


async def one_store(request: Request) -> Response:
    """Describe a store."""
    stores = stores_of(request)
    made = shown(stores, stores.get(request.path_params["store"]))
    return answer(made, _waits(made["status"] == "in_progress"))


async def change_store(request: Request) -> Response:
    """Change the name, the metadata or the time of a store."""
    body = await read_json(request)
    fields, ignored = read_fields(StoreChangeFields, body)
    stores = stores_of(request)
    store = stores.get(request.path_params["store"], is_used=True)
    _check_name(fields.name or "")
    changes: dict[str, Any] = {
        name: value for name, value in (("name", fields.name), ("metadata", fields.metadata)) if value is not None
    }
    checked_metadata(fields.metadata)
    if "expires_after" in body:
        # Null is a wish here: no end.
        changes |= {"expires_after": checked_expiry(fields.expires_after), "last_active_at": now()}
    stores.kept.put(store["id"], store | changes)
    return answer(shown(stores, store | changes), ignored_header(ignored))


async def delete_store(request: Request) -> Response:
    """Delete a store; the files that are in it stay."""
    name = request.path_params["store"]
    stores_of(request).remove(name)
    return answer({"id": name, "object": "vector_store.deleted", "deleted": True})


async def search_store(request: Request) -> Response:
    """Look for passages."""
    fields, ignored = read_fields(StoreSearchFields, await read_json(request))
    wanted = wanted_of(fields)
    found = await find(stores_of(request), [request.path_params["store"]], wanted)
    made = {
        "object": "vector_store.search_results.page",
        "search_query": list(wanted.queries),
        "data": [one.shown() for one in found],
        "has_more": False,
        "next_page": None,
    }
    return answer(made, ignored_header(ignored))


async def attach_file(request: Request) -> Response:
    """Put a file into a store; it is read soon."""
    fields, ignored = read_fields(StoreFileFields, await read_json(request))
    stores = stores_of(request)
    store = stores.get(request.path_params["store"], is_used=True)
    attributes, chunking = checked_attributes(fields.attributes), chunking_of(fields.chunking_strategy)
    (row,) = stores.attach(store["id"], [(fields.file_id, attributes, chunking)])
    return answer(row.shown(), ignored_header(ignored))


async def list_store_files(request: Request) -> Response:
    """List the files of a store, the newest first."""
    stores, status = stores_of(request), filter_of(request, "filter", STATUSES)
    store = stores.get(request.path_params["store"])
    return answer(page([row.shown() for row in stores.rows.of_store(store["id"], status=status)], request))


async def one_store_file(request: Request) -> Response:
    """Say how far a file of a store is."""
    row = stores_of(request).rows.get(request.path_params["store"], request.path_params["file"])
    return answer(row.shown(), _waits(row.status == "in_progress"))


async def change_store_file(request: Request) -> Response:
    """Change the attributes of a file of a store."""
    fields, ignored = read_fields(AttributeFields, await read_json(request))
    attributes, stores = checked_attributes(fields.attributes), stores_of(request)
    row = stores.rows.set_attributes(request.path_params["store"], request.path_params["file"], attributes)
    return answer(row.shown(), ignored_header(ignored))


async def detach_file(request: Request) -> Response:
    """Take a file out of a store; the file itself stays."""
    store, file = request.path_params["store"], request.path_params["file"]
    await stores_of(request).detach(store, file)
    return answer({"id": file, "object": "vector_store.file.deleted", "deleted": True})


async def store_file_content(request: Request) -> Response:
    """Give the text of a file as it was read; citations count its characters."""
    stores = stores_of(request)
    row = stores.rows.get(request.path_params["store"], request.path_params["file"])
    index = stores.index(row.store)
    text = await stores.in_thread(lambda: text_of(index, row.file))
    made = {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text}] if text else [],
        "has_more": False,
        "next_page": None,
    }
    return answer(made)


def text_of(index: Index, document: str) -> str:
    """Return the text of a document, put together of its passages so that every character is where it was; between them is white space."""
    text = ""
    for stored in index.stored(index.passages_of([document])):
        passage = stored.passage
        if passage.end > len(text):
            text += " " * (passage.start - len(text)) + passage.text[max(0, len(text) - passage.start) :]
    return text


async def create_batch(request: Request) -> Response:
    """Put several files into a store."""
    fields, ignored = read_fields(StoreBatchFields, await read_json(request))
    stores = stores_of(request)
    store = stores.get(request.path_params["store"], is_used=True)
    files, beside = _batch_files(fields, request)
    name = stores.batches.new_id()
    stores.attach(store["id"], files, batch=name)
    batch = {"id": name, "created_at": now(), "vector_store_id": store["id"], "is_cancelled": False}
    stores.batches.put(name, batch)
    return answer(_batch_shown(stores, batch), ignored_header([*ignored, *beside]))


def _batch_files(
    fields: StoreBatchFields, request: Request
) -> tuple[list[tuple[str, dict[str, Any], dict[str, Any]]], list[str]]:
    """Return (file, attributes, chunking) of the files of a batch, and the names of fields that are not read.

    Raises:
        ConfigError: They are none.
        Problem: There is no such file.
    """
    if (fields.file_ids is None) == (fields.files is None):
        raise ConfigError("body.files and body.file_ids do not go together", expected="one of them")
    if fields.files is None:
        attributes, chunking = checked_attributes(fields.attributes), chunking_of(fields.chunking_strategy)
        return [(file, attributes, chunking) for file in listed_ids(fields.file_ids or [], request)], []
    if fields.attributes is not None or fields.chunking_strategy is not None:
        raise ConfigError("body.files beside attributes or a strategy for all", expected="those of each file")
    if not all(isinstance(one, dict) for one in fields.files):
        raise ConfigError("body.files holds something else", expected="objects with file_id")
    read = [read_fields(StoreFileFields, one) for one in fields.files]
    each, beside = [one for one, _ in read], sorted({name for _, names in read for name in names})
    listed_ids([one.file_id for one in each], request)
    files = [(one.file_id, checked_attributes(one.attributes), chunking_of(one.chunking_strategy)) for one in each]
    return files, beside


def _batch_shown(stores: Stores, batch: dict[str, Any]) -> dict[str, Any]:
    counts = stores.rows.counts(batch["vector_store_id"], batch=batch["id"])
    done = "cancelled" if batch["is_cancelled"] else "failed" if counts["failed"] == counts["total"] else "completed"
    return {
        "id": batch["id"],
        "object": "vector_store.files_batch",
        "created_at": batch["created_at"],
        "vector_store_id": batch["vector_store_id"],
        "status": "in_progress" if counts["in_progress"] else done,
        "file_counts": counts,
    }


def _batch_of(request: Request) -> dict[str, Any]:
    batch = stores_of(request).batches.get(request.path_params["batch"])
    if batch["vector_store_id"] != request.path_params["store"]:
        raise Problem("the batch is one of another store", status=404, code="not_found", param="id")
    return batch


async def one_batch(request: Request) -> Response:
    """Say how far a batch is."""
    made = _batch_shown(stores_of(request), _batch_of(request))
    return answer(made, _waits(made["status"] == "in_progress"))


async def cancel_batch(request: Request) -> Response:
    """Leave the files of a batch unread that were not read yet."""
    stores, batch = stores_of(request), _batch_of(request)
    stores.rows.cancel(batch["id"])
    batch |= {"is_cancelled": True}
    stores.batches.put(batch["id"], batch)
    return answer(_batch_shown(stores, batch))


async def list_batch_files(request: Request) -> Response:
    """List the files of a batch, the newest first."""
    stores, batch, status = stores_of(request), _batch_of(request), filter_of(request, "filter", STATUSES)
    rows = stores.rows.of_store(batch["vector_store_id"], status=status, batch=batch["id"])
    return answer(page([row.shown() for row in rows], request))


def listed_ids(given: list[Any], request: Request) -> list[str]:
    """Return ids of uploaded files, each once.

    Raises:
        ConfigError: They are no ids, or too many.
        Problem: There is no such file.
    """
    if len(given) > MOST_IN_BATCH or not all(isinstance(one, str) for one in given):
        raise ConfigError("body.file_ids is no list of ids", expected=f"at most {MOST_IN_BATCH} ids of uploaded files")
    names = list(dict.fromkeys(given))
    for name in names:
        front_of(request).files.get(name)
    return names


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"body.name has {len(name)} characters", expected=f"at most {LONGEST_NAME}")

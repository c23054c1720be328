"""Vector stores over HTTP with the official client in its strict mode: files in and out, searches, filters, and what is kept."""

import openai
import pytest

from makar.errors import ConfigError, UnsupportedError
from makar.serving.store_fields import check_filter, chunking_of, passes, ranking_of, words_of_chunking
from tests.families.encoder.test_embedder import embedder
from tests.serving.server import Server, request, talker, until
from tests.serving.test_images_and_files import saved_text

pytestmark = pytest.mark.loopback

RAIN = (
    b"# Rain\n\nRain falls from clouds. It makes the ground wet.\n\n# Snow\n\nSnow is frozen water and falls in winter."
)
FOX = b"A red fox sleeps in its den.\nThe den lies under an old oak."
EMPTY_PDF = b"%PDF-1.4\nbroken"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a home with a small encoder."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        saved_text(folder / "models" / "finder", *embedder())
        talker(folder / "models" / "talker")
    return folder


@pytest.fixture(scope="module")
def server(place):
    """Return a server of it."""
    running = Server(place)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


@pytest.fixture
def client(server):
    """Return the official client, which checks every field of every answer."""
    with openai.OpenAI(
        base_url=server.address + "/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def upload(client, name, content):
    return client.files.create(file=(name, content), purpose="assistants").id


@pytest.fixture
def weather(client):
    """Return a store with two files that are read."""
    store = client.vector_stores.create(name="weather", metadata={"who": "me"})
    made = client.vector_stores.file_batches.create_and_poll(
        store.id,
        files=[
            {"file_id": upload(client, "rain.md", RAIN), "attributes": {"year": 2020, "kind": "weather"}},
            {"file_id": upload(client, "fox.txt", FOX), "attributes": {"year": 2023, "kind": "animals"}},
        ],
    )
    assert made.status == "completed" and made.file_counts.completed == made.file_counts.total == 2
    yield store
    client.vector_stores.delete(store.id)


def found(client, store, query, **fields):
    page = client.vector_stores.search(store.id, query=query, **fields)
    return [(one.filename, one.score) for one in page.data]


def test_a_store_is_made_described_changed_listed_and_deleted(client):
    first = client.vector_stores.create(
        name="one", metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 3}
    )
    second = client.vector_stores.create(file_ids=[upload(client, "rain.md", RAIN)])
    assert first.status == "completed" and first.expires_at == first.last_active_at + 3 * 86400
    assert [one.id for one in client.vector_stores.list(limit=2)][:2] == [second.id, first.id]
    assert [one.id for one in client.vector_stores.list(order="asc", after=first.id)][:1] == [second.id]
    assert [one.id for one in client.vector_stores.list(before=first.id, limit=1).data] == [second.id]
    changed = client.vector_stores.update(first.id, name="two", metadata={"c": "d"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_at) == ("two", {"c": "d"}, None)
    until(lambda: client.vector_stores.retrieve(second.id).status == "completed")
    assert client.vector_stores.retrieve(second.id).file_counts.completed == 1
    for store in (first, second):
        assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(first.id)


def test_the_right_passage_is_found_with_where_it_stands(client, weather):
    (first, *_) = client.vector_stores.search(weather.id, query="What makes the ground wet?").data
    assert first.filename == "rain.md" and "ground wet" in first.content[0].text
    assert first.attributes == {"year": 2020, "kind": "weather"} and 0.9 < first.score <= 1
    text = "".join(
        part.text for part in client.vector_stores.files.content(first.file_id, vector_store_id=weather.id).data
    )
    where = first.model_extra["makar"]
    assert text[where["start"] : where["end"]] == first.content[0].text == RAIN.decode()[where["start"] : where["end"]]
    assert where["heading"] == "Rain"


def test_filters_and_ranking_decide_what_is_found(client, weather):
    assert found(client, weather, "red fox snow")[0][0] == "fox.txt"
    before = {"type": "lt", "key": "year", "value": 2021}
    assert {name for name, _ in found(client, weather, "red fox snow", filters=before)} == {"rain.md"}
    either = {"type": "or", "filters": [{"type": "eq", "key": "kind", "value": "animals"}, before]}
    assert {name for name, _ in found(client, weather, "red fox snow", filters=either)} == {"fox.txt", "rain.md"}
    assert len(found(client, weather, "red fox snow", max_num_results=1)) == 1
    scores = dict(found(client, weather, "red fox snow"))
    least = (max(scores.values()) + min(scores.values())) / 2
    above = found(client, weather, "red fox snow", ranking_options={"score_threshold": least})
    assert [name for name, _ in above] == ["fox.txt"]
    # By words alone, words that stand side by side count nothing, and the best is first in the only list there is.
    assert found(client, weather, "red fox", ranking_options={"ranker": "none"})[0] == ("fox.txt", 1.0)
    several = client.vector_stores.search(weather.id, query=["the den", "frozen water"], rewrite_query=True)
    assert several.model_extra["search_query"] == ["den", "frozen water"]
    assert {one.filename for one in several.data[:2]} == {"fox.txt", "rain.md"}


def test_an_encoder_finds_what_no_word_does(client):
    file = upload(client, "fox.txt", FOX)
    by_words = client.vector_stores.create(file_ids=[file])
    by_both = client.vector_stores.create(file_ids=[file], extra_body={"embedding_model": "finder"})
    for store in (by_words, by_both):
        until(lambda: client.vector_stores.retrieve(store.id).status == "completed", seconds=120)  # noqa: B023
        assert client.vector_stores.retrieve(store.id).file_counts.completed == 1
    assert not found(client, by_words, "vixen") and found(client, by_both, "vixen")
    only_words = {"hybrid_search": {"text_weight": 1, "embedding_weight": 0}}
    assert not found(client, by_both, "vixen", ranking_options=only_words)
    with pytest.raises(openai.NotFoundError, match="unknown model"):
        client.vector_stores.create(extra_body={"embedding_model": "nobody"})


def test_files_come_go_and_say_what_is_wrong_with_them(client, weather):
    for name, content, code in [
        ("scan.pdf", EMPTY_PDF, "invalid_file"),
        ("picture.png", b"\x89PNG\r\n\x1a\n0000", "unsupported_file"),
        ("nothing.txt", b"   ", "invalid_file"),
        ("wrong.docx", b"PK\x03\x04 no archive", "invalid_file"),
    ]:
        made = client.vector_stores.files.create_and_poll(upload(client, name, content), vector_store_id=weather.id)
        assert (made.status, made.last_error.code) == ("failed", code), made.last_error
        assert made.last_error.message and "/" not in made.last_error.message
    assert client.vector_stores.retrieve(weather.id).file_counts.failed == 4
    assert len(client.vector_stores.files.list(weather.id, filter="failed").data) == 4
    fox = client.vector_stores.files.list(weather.id, filter="completed").data[0]
    changed = client.vector_stores.files.update(
        fox.id, vector_store_id=weather.id, attributes={"kind": "den", "is_old": True}
    )
    assert changed.attributes == {"kind": "den", "is_old": True}
    is_old = {"type": "eq", "key": "is_old", "value": True}
    assert len(found(client, weather, "red fox rain", filters=is_old)) == 1
    client.vector_stores.files.delete(fox.id, vector_store_id=weather.id)
    assert not found(client, weather, "red fox rain", filters=is_old)
    assert client.files.retrieve(fox.id).id == fox.id
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.files.retrieve(fox.id, vector_store_id=weather.id)


def test_how_a_file_is_divided_is_said_and_done(client):
    text = " ".join(f"Sentence number {number} says nothing at all of any use." for number in range(200)).encode()
    file = upload(client, "long.txt", text)
    few, many = (client.vector_stores.create(), client.vector_stores.create())
    strategy = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    made = client.vector_stores.files.create_and_poll(file, vector_store_id=few.id)
    assert made.chunking_strategy.static.max_chunk_size_tokens == 213
    made = client.vector_stores.files.create_and_poll(file, vector_store_id=many.id, chunking_strategy=strategy)
    assert made.chunking_strategy.static.chunk_overlap_tokens == 50
    finds = [
        client.vector_stores.search(store.id, query="sentence number 150", max_num_results=1).data[0]
        for store in (few, many)
    ]
    assert len(finds[0].content[0].text.split()) > 120 > 80 > len(finds[1].content[0].text.split())


def test_a_batch_can_be_cancelled(client):
    store = client.vector_stores.create()
    files = [upload(client, f"{number}.txt", FOX) for number in range(12)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=files)
    cancelled = client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert cancelled.status == "cancelled" and cancelled.file_counts.cancelled >= 10
    assert len(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=5).data) == 5
    until(lambda: client.vector_stores.retrieve(store.id).status == "completed")
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.file_batches.retrieve(batch.id, vector_store_id="vs_" + "0" * 24)


def test_stores_are_there_again_and_what_was_not_read_is_read_after_a_restart(tmp_path):
    running = Server(tmp_path)
    with openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0) as client:
        store = client.vector_stores.create(file_ids=[upload(client, "rain.md", RAIN)])
        until(lambda: client.vector_stores.retrieve(store.id).status == "completed")
        client.vector_stores.file_batches.create(store.id, file_ids=[upload(client, f"{n}.txt", FOX) for n in range(6)])
        running.process.kill()
        running.stop()
    running = Server(tmp_path)
    with openai.OpenAI(base_url=running.address + "/v1", api_key="none", max_retries=0) as client:
        until(lambda: client.vector_stores.retrieve(store.id).file_counts.completed == 7, seconds=60)
        assert found(client, store, "ground wet")[0][0] == "rain.md" and found(client, store, "old oak")
    assert running.stop() == 0


@pytest.mark.parametrize(
    "path, body, words",
    [
        ("", {"expires_after": {"anchor": "created", "days": 1}}, "anchor"),
        ("", {"metadata": {"a": "x" * 600}}, "metadata"),
        ("", {"file_ids": ["file-" + "0" * 24]}, "there is no"),
        ("", {"file_ids": [3]}, "ids"),
        ("/search", {"query": " "}, "question"),
        ("/search", {"query": "a", "max_num_results": 51}, "at most 50"),
        ("/search", {"query": "a", "filters": {"type": "like", "key": "a", "value": "b"}}, "filters"),
        ("/search", {"query": "a", "filters": {"type": "and", "filters": []}}, "filters"),
        ("/search", {"query": "a", "filters": {"type": "in", "key": "a", "value": "b"}}, "list"),
        ("/search", {"query": "a", "ranking_options": {"ranker": "best"}}, "ranker"),
        ("/search", {"query": "a", "ranking_options": {"score_threshold": 2}}, "threshold"),
        ("/search", {"query": "a", "ranking_options": {"reranker": "x"}}, "ranking_options"),
        ("/files", {"file_id": "file-" + "0" * 24}, "there is no"),
        ("/files", {"file_id": "x", "attributes": {"a": [1]}}, "attributes"),
        (
            "/files",
            {"file_id": "x", "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 9}}},
            "size",
        ),
        ("/file_batches", {}, "one of them"),
        ("/file_batches", {"files": [{"attributes": {}}]}, "file_id"),
    ],
)
def test_what_makes_no_sense_is_refused(server, client, path, body, words):
    store = client.vector_stores.create()
    status, _, content = request(server.address, f"/v1/vector_stores{f'/{store.id}' if path else ''}{path}", body)
    assert status in (400, 404) and words in content.decode()


def test_filters_compare_values_of_one_type():
    has = {"year": 2020, "kind": "a", "is_old": True}
    assert passes(has, {"type": "ne", "key": "year", "value": "2020"}) and passes(
        has, {"type": "ne", "key": "x", "value": 1}
    )
    assert not passes(has, {"type": "gt", "key": "year", "value": "2019"})
    assert not passes(has, {"type": "eq", "key": "is_old", "value": 1}) and not passes(
        has, {"type": "eq", "key": "x", "value": 1}
    )
    assert passes(has, {"type": "in", "key": "kind", "value": ["a", "b"]})
    assert passes(has, {"type": "nin", "key": "kind", "value": ["b"]}) and passes(
        has, {"type": "lte", "key": "year", "value": 2020.0}
    )
    check_filter({"type": "or", "filters": [{"type": "eq", "key": "a", "value": 1}]})
    with pytest.raises(ConfigError):
        check_filter({"type": "or", "filters": [{"type": "eq", "key": "a", "value": [1]}]})


def test_sizes_and_rankings_are_read():
    assert words_of_chunking(chunking_of(None)) == (160, pytest.approx(0.15, abs=0.01))
    assert ranking_of({"ranker": "none"})[0].pairs == 0 and ranking_of(None)[1] == 0
    for wrong in (
        {"ranker": "none", "hybrid_search": {"text_weight": 1, "embedding_weight": 1}},
        {"hybrid_search": {}},
    ):
        with pytest.raises(ConfigError):
            ranking_of(wrong)
    with pytest.raises(UnsupportedError):
        ranking_of({"depth": 3})

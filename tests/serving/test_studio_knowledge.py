"""Collections of the studio: documents brought and found, answers with the place of each sentence, questions that are no options."""

import json

import pytest

from tests.serving.server import Server, request
from tests.serving.test_studio_training import asked, put

pytestmark = pytest.mark.loopback
RULES = (
    "# Returns\n\nA parcel can be returned within thirty days.\n\n# Hours\n\nThe shop closes at six in the evening.\n"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the folder of the server."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(place):
    """Return a server without a model."""
    running = Server(place)
    yield running
    assert running.stop() == 0


@pytest.mark.timeout(600)
def test_documents_are_brought_asked_and_shown_where_they_say_it(server, place):
    assert asked(server, "/makar/v1/collections")[1]["data"] == []
    new = {"name": "x", "collection": "shop"}
    folder = asked(server, "/makar/v1/folders", new)[1]
    put(server, folder["id"], [("rules.md", RULES.encode())])
    status, (row,) = asked(server, "/makar/v1/collections/shop", {"source": folder["id"]})
    assert status == 200 and row["added"] == 1
    assert asked(server, "/makar/v1/folders", new)[1]["id"] == folder["id"], "what is added later lies beside it"
    put(server, folder["id"], [("more.md", b"# Parking\n\nThere are nine places for cars behind the house.\n")])
    (row,) = asked(server, "/makar/v1/collections/shop", {"source": folder["id"]})[1]
    assert row["added"] == 1 and row["unchanged"] == 1
    (listed,) = asked(server, "/makar/v1/collections")[1]["data"]
    assert listed["id"] == "shop" and listed["documents"] == 2
    status, found = asked(server, "/makar/v1/collections/shop/ask", {"question": "When does the shop close?"})
    assert status == 200 and found["is_found"]
    citation = found["citations"][0]
    path = f"/makar/v1/collections/shop/passages?document={citation['document']}&start={citation['start']}&end={citation['end']}"
    passages = asked(server, path.replace(" ", "%20"))[1]["data"]
    holding = [one for one in passages if one["start"] <= citation["start"] and citation["end"] <= one["end"]]
    (one,) = holding
    assert one["text"][citation["start"] - one["start"] : citation["end"] - one["start"]] == citation["text"]
    unknown = asked(server, "/makar/v1/collections/shop/ask", {"question": "Who painted the ceiling of the chapel?"})[1]
    assert not unknown["is_found"] and unknown["citations"] == []
    status, odd = asked(server, "/makar/v1/collections/shop/ask", {"question": "--help"})
    assert status == 200 and not odd["is_found"], "a question is never an option"
    review = {"question": "When?", "synthesise": True, "model": "nobody"}
    status, refused = asked(server, "/makar/v1/collections/shop/ask", review)
    assert status == 400 and "a review with a model" in refused["error"]["message"]
    assert asked(server, "/makar/v1/folders", new)[1]["id"] == folder["id"]
    graph = place / "indexes" / "shop.sqlite.vectors-ab.faiss"
    graph.touch()
    assert asked(server, "/makar/v1/collections/shop", method="DELETE")[1]["deleted"]
    assert not graph.exists()
    assert asked(server, "/makar/v1/folders", new)[1]["id"] != folder["id"], "another collection begins without it"
    assert asked(server, "/makar/v1/collections/shop/ask", {"question": "When?"})[0] == 404


@pytest.mark.parametrize("name", ["..%2Fx", "a.sqlite", "-x", "a%20b"])
def test_a_collection_has_a_name_and_no_path(server, name):
    assert asked(server, f"/makar/v1/collections/{name}/ask", {"question": "When?"})[0] in (400, 404)
    status, _, content = request(server.address, f"/makar/v1/collections/{name}", {"source": "builtin:python-docs"})
    assert status in (400, 404, 405), json.loads(content)

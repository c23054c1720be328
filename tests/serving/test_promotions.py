"""Promotions over HTTP and in the studio: what both are asked is read where the server may read, and every check is said."""

import json

import pytest

from makar.api import arena
from makar.home import models_folder
from makar.serving.studio.promoting import PromoteFields, words_of
from tests.cli.small_models import TEXT_SETTINGS, see, write_texts
from tests.evaluation.test_promotion_suites import bias_tables
from tests.serving.browser import Pages, opened
from tests.serving.server import Server, talker
from tests.serving.test_studio_training import asked, put

pytestmark = pytest.mark.loopback
PROMOTIONS = "/makar/v1/promotions"


def test_suites_are_read_where_the_server_may_read_and_nowhere_else(tmp_path, own_folder):
    for name in ("open", "closed"):
        (tmp_path / name / "suites").mkdir(parents=True)
    (tmp_path / "open" / "link").symlink_to(tmp_path / "closed")
    for seed, name in enumerate(("old", "new")):
        talker(models_folder() / name, seed=seed)
    running = Server(own_folder, "--data", tmp_path / "open")
    try:
        asks = {"model": "new", "name": "old"}
        for place in (tmp_path / "closed" / "suites", tmp_path / "open" / "link" / "suites", "/etc", "open/suites"):
            for field in ("suites", "data"):
                status, refused = asked(running, PROMOTIONS, asks | {field: str(place)})
                assert (status, refused["error"]["code"]) == (403, "foreign_folder")
        missing = {"suites": str(tmp_path / "open" / "nothing")}
        assert asked(running, PROMOTIONS, asks | missing)[0] == 404
        assert asked(running, PROMOTIONS, asks | {"suites": "folder-0123456789abcdef"})[0] == 404
        status, refused = asked(running, PROMOTIONS, {"name": "old", "suites": str(tmp_path / "open" / "suites")})
        assert status == 400 and "given back" in refused["error"]["message"]
        assert asked(running, PROMOTIONS, asks | {"samples": -1})[0] == 400
    finally:
        assert running.stop() == 0


def test_what_is_asked_becomes_options_of_the_verb():
    fields = PromoteFields(name="old", model="new", data="builtin:a", suites="builtin:b", samples=3, seed=5)
    words = ["promote", "new", "old", "--data", "builtin:a", "--suites", "builtin:b", "--samples", "3", "--seed", "5"]
    assert words_of(None, fields) == words
    assert words_of(None, PromoteFields(name="old", model="new")) == words[:3]
    assert words_of(None, PromoteFields(name="old")) == ["promote", "old", "--rollback"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a server of two models of text that learned a little, one of which somebody likes better, and the folder of suites."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder / "home"))
        write_texts(folder / "texts")
        (folder / "open" / "suites").mkdir(parents=True)
        bias_tables(folder / "open" / "suites")
        for name, steps in (("old", "4"), ("new", "40")):
            see("train", folder / "texts", "--steps", steps, *TEXT_SETTINGS, "-o", name)
        session = arena.begin(["new", "old"], prompts=["In which"], rounds=12, options={"max_tokens": 8})
        answering = arena.Answering()
        while (shown := arena.next_pair(session.id, rater="ann", answer=answering)) is not None:
            arena.judge(shown.pair.id, "left" if shown.left.model == "new" else "right", consent=True)
    running = Server(folder / "home", "--data", folder / "open")
    yield running, folder / "open" / "suites"
    assert running.stop() == 0


@pytest.mark.slow
def test_both_are_asked_the_suites_that_are_named(trained):
    server, suites = trained
    asks = {"model": "old", "name": "new", "samples": 4}
    status, found = asked(server, PROMOTIONS, asks)
    plain = {check["name"]: check["verdict"] for check in found["checks"]}
    assert status == 200 and plain["bias"] == plain["safety"] == "unknown" and found["kept_as"] is None
    brought = asked(server, "/makar/v1/folders", {"name": "tables"})[1]["id"]
    put(server, brought, [(path.name, path.read_bytes()) for path in suites.iterdir()])
    checks = []
    for place in (str(suites), brought):
        status, found = asked(server, PROMOTIONS, asks | {"suites": place})
        assert status == 200, found
        checks.append(found["checks"])
        names = {check["name"]: check for check in found["checks"]}
        assert {"CrowS-Pairs: nearer to even", "WinoBias: nearer to even"} < set(names)
        assert all(names["CrowS-Pairs: nearer to even"]["gain"][key] is not None for key in ("value", "low", "high"))
    assert checks[0] == checks[1]
    assert asked(server, PROMOTIONS, asks | {"suites": str(suites.parent)})[0] == 400, "a folder without a table"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
def test_the_arena_asks_for_suites_and_shows_every_check(trained):
    server, suites = trained
    with opened() as browser:
        studio = Pages(browser, server.address)
        page = studio.go("arena")
        takes = page.get_by_role("button", name="Let new take the name old")
        takes.wait_for()
        places = page.get_by_label("Suites of bias and safety")
        places.select_option(str(suites))
        assert studio.violations() == [] and studio.overflow() <= 0
        with page.expect_request(f"**{PROMOTIONS}") as sent:
            takes.click()
        assert sent.value.post_data_json == {"model": "new", "name": "old", "suites": str(suites)}
        verdict = page.get_by_role("region", name="Verdict")
        verdict.wait_for()
        found = json.loads(sent.value.response().text())
        shown = verdict.inner_text()
        assert all(check["name"] in shown and check["verdict"] in shown for check in found["checks"])
        assert "WinoBias: nearer to even" in shown and "safety" in shown
        assert studio.violations() == [] and studio.said == []
        if found["kept_as"] is not None:
            page.get_by_role("button", name="Give the name old back").click()
            page.get_by_text("old is the model before again").wait_for()
        studio.close()

"""Consent records: signed, checked against name, scope, day and signer, taken back; hostile ones are refused."""

import datetime
import json

import pytest

from makar.errors import ConsentError, IntegrityError, UsageError
from makar.home import home
from makar.provenance import consent as module
from makar.provenance.consent import check_consent, check_still_agreed, make_consent, phrase_for, read_consent, revoke

RECORDING = b"what somebody said"


def written(path, **changes):
    signed = make_consent("Anna  Schmidt", **{"scopes": ["voice"], "recording": RECORDING, **changes})
    path.write_text(json.dumps(signed), encoding="utf-8")
    return path


@pytest.fixture
def record(tmp_path):
    return read_consent(written(tmp_path / "a.json"))


def test_a_record_says_who_agreed_to_what(record):
    assert record.who == "Anna Schmidt" and record.scopes == ("voice",) and record.signer == "this machine"
    assert record.phrase == phrase_for("Anna Schmidt", ["voice"]) and "learns this voice" in record.phrase
    assert record.recording == module.hashlib.sha256(RECORDING).hexdigest() and record.holds
    check_consent(record, scope="voice", who="anna schmidt")


@pytest.mark.parametrize(
    "ask, word", [({"scope": "face"}, "not to face"), ({"scope": "voice", "who": "Bob"}, "Anna Schmidt's")]
)
def test_it_allows_nothing_else(record, ask, word):
    with pytest.raises(ConsentError, match=word):
        check_consent(record, **ask)


def test_it_is_over_after_its_last_day(tmp_path, monkeypatch):
    tomorrow = (datetime.date.today() + datetime.timedelta(1)).isoformat()
    record = read_consent(written(tmp_path / "a.json", until=tomorrow))
    check_consent(record, scope="voice")

    class Later(datetime.date):
        @classmethod
        def today(cls):
            return cls(2999, 1, 1)

    monkeypatch.setattr(module.datetime, "date", Later)
    with pytest.raises(ConsentError, match=tomorrow):
        check_consent(record, scope="voice")
    with pytest.raises(ConsentError, match=tomorrow):
        check_still_agreed({"consent": [record.stated()]})


def test_what_was_taken_back_holds_no_more(record):
    check_still_agreed({"consent": [record.stated()]})
    revoke(record)
    assert not record.holds
    with pytest.raises(ConsentError, match="took the consent back"):
        check_consent(record, scope="voice")
    with pytest.raises(ConsentError, match="Anna Schmidt"):
        check_still_agreed({"consent": [record.stated()]})
    with pytest.raises(UsageError, match="took this consent back"):
        revoke(record)


def test_a_damaged_note_does_not_bring_it_back(record):
    revoke(record)
    (note,) = (home() / "consent").iterdir()
    note.write_text("{}")
    assert "unknown day" in record.why_not


def test_a_key_that_nobody_knows_does_not_count(tmp_path, monkeypatch):
    path = written(tmp_path / "a.json")
    monkeypatch.setenv("MAKAR_HOME", str(tmp_path / "another machine"))
    with pytest.raises(ConsentError, match="nobody here knows"):
        check_consent(read_consent(path), scope="voice")


@pytest.mark.parametrize(
    "change",
    [
        {"who": "Bob"},
        {"scopes": ["voice", "face"]},
        {"recording": "0" * 64},
        {"until": None, "date": "1999-01-01"},
        {"type": "asset"},
    ],
)
def test_a_changed_record_is_refused(tmp_path, change):
    path = written(tmp_path / "a.json", until="2999-01-01")
    found = json.loads(path.read_text())
    found["manifest"] |= change
    path.write_text(json.dumps(found))
    with pytest.raises(IntegrityError):
        read_consent(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"manifest": {}, "signature": {}}'])
def test_what_is_no_record_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(IntegrityError):
        read_consent(tmp_path / "a.json")


@pytest.mark.parametrize("change", [{"scopes": []}, {"scopes": ["all"]}, {"until": "1999-01-01"}, {"until": "soon"}])
def test_a_record_of_nothing_is_not_made(change):
    with pytest.raises(UsageError):
        make_consent("Anna", **{"scopes": ["voice"], "recording": RECORDING, **change})
    with pytest.raises(UsageError):
        make_consent(" ", scopes=["voice"], recording=RECORDING)


def test_hashes_of_foreign_manifests_become_no_paths():
    check_still_agreed({"consent": [{"hash": "../../x", "who": "A"}, 3, {"until": 5}]})
    check_still_agreed({"consent": "x"})

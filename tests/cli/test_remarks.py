"""What a person is told of an asset: all of it, and nothing where there is nothing to tell."""

from makar.cli.output import remarks_of


def test_what_was_not_read_stands_beside_what_was_done_to_an_edit():
    assert remarks_of({}) == []
    (alone,) = remarks_of({"unread_tokens": 1500})
    assert "first 1,500 tokens were not read" in alone
    fixed = {"sandbox_could_not_hold": ["the network", "signals"]}
    assert remarks_of({"edit": fixed}) == ["the sandbox did not hold everything here: the network; signals"]
    assert remarks_of({"edit": {"sandbox_could_not_hold": []}}) == []
    edit = {"flicker": {"made": 0.5, "given": 0.25}, "remarks": ["made smaller to fit"]}
    both = remarks_of({"unread_tokens": 1500, "edit": edit})
    assert both == [alone, "flicker 0.5000, of what was given 0.2500", "made smaller to fit"]

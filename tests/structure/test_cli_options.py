"""The command line's verbs and options are frozen: scripts of users depend on them."""

import json

from tests.structure.cli_snapshot import SNAPSHOT, commands, current


def test_verbs_and_options_are_the_frozen_ones():
    frozen = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert current() == frozen, "a deliberate change? run: make snapshot"


def test_every_verb_has_help_and_json_where_it_gives_a_result():
    without_json = {"makar demo"}
    for words, command in commands():
        name = " ".join(words)
        assert command.help and command.help.splitlines()[0].endswith("."), name
        options = [option for parameter in command.params for option in parameter.opts]
        assert ("--json" in options) != (name in without_json), name


def test_every_option_says_what_it_does():
    for words, command in commands():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{' '.join(words)} {parameter.name}"

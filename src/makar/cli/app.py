"""The command line: one verb a function, errors in three lines, exit codes 0, 1, 2 and 130.

Start-up imports Typer and nothing heavy; each verb imports what it needs when it runs. Help is plain text, because Rich's help
costs as long again as everything else. The result of a verb goes to stdout, everything else to stderr.
"""

import os
import sys
from collections.abc import Callable

import typer

from makar.cli import (
    chat_verb,
    consent_verbs,
    data_verbs,
    demo_verb,
    edit_verb,
    feedback_verbs,
    generate_verb,
    knowledge_verbs,
    list_verbs,
    machine_verbs,
    model_verbs,
    predict_verb,
    promote_verb,
    prompt_verbs,
    run_verbs,
    serve_verb,
    speak_verb,
    train_verb,
)
from makar.cli.failure import report, usage_failure

EPILOGUE = """\b
A model of your own in three lines:
  makar inspect  DATA
  makar train    DATA --for 10m -o NAME
  makar generate NAME
"""

VERBS: dict[str, Callable[..., None]] = {
    "inspect": data_verbs.inspect,
    "plan": data_verbs.plan,
    "train": train_verb.train,
    "generate": generate_verb.generate,
    "speak": speak_verb.speak,
    "edit": edit_verb.edit,
    "predict": predict_verb.predict,
    "chat": chat_verb.chat,
    "index": knowledge_verbs.index,
    "ask": knowledge_verbs.ask,
    "evaluate": model_verbs.evaluate,
    "promote": promote_verb.promote,
    "serve": serve_verb.serve,
    "verify": model_verbs.verify,
    "import": model_verbs.import_,
    "export": model_verbs.export,
    "doctor": machine_verbs.doctor,
    "demo": demo_verb.demo,
    "version": machine_verbs.version,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "list": (
        "List recipes, models or media.",
        {"recipes": list_verbs.recipes, "models": list_verbs.models, "media": list_verbs.media},
    ),
    "feedback": (
        "Say what you think of generated things; list, compare, rank.",
        {
            "add": feedback_verbs.add,
            "list": feedback_verbs.list_,
            "remove": feedback_verbs.remove,
            "export": feedback_verbs.export,
            "import": feedback_verbs.import_,
            "compare": feedback_verbs.compare,
            "ranking": feedback_verbs.ranking,
        },
    ),
    "consent": (
        "Record, verify or take back that somebody agreed to the use of their voice.",
        {"record": consent_verbs.record, "verify": consent_verbs.verify, "revoke": consent_verbs.revoke},
    ),
    "prompt": (
        "List, try, score and improve prompts.",
        {
            "list": prompt_verbs.list_,
            "try": prompt_verbs.try_,
            "score": prompt_verbs.score,
            "improve": prompt_verbs.improve,
        },
    ),
    "runs": (
        "List, show, compare, resume, stop or remove trainings.",
        {
            "list": run_verbs.list_,
            "show": run_verbs.show,
            "compare": run_verbs.compare,
            "resume": run_verbs.resume,
            "stop": run_verbs.stop,
            "remove": run_verbs.remove,
            "clean": run_verbs.clean,
        },
    ),
}


def make_app(*, with_completion: bool = True) -> typer.Typer:
    """Return the command line.

    Args:
        with_completion: Whether it has the options that install completion; they cost a tenth of a second at every start.
    """
    app = typer.Typer(
        name="makar",
        help="Your data, your machine, your minutes: a generative model of your own, in any medium, with proof.",
        epilog=EPILOGUE,
        no_args_is_help=True,
        add_completion=with_completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name, verb in VERBS.items():
        app.command(name)(verb)
    for name, (summary, verbs) in GROUPS.items():
        group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=summary)
        for inner, verb in verbs.items():
            group.command(inner)(verb)
        app.add_typer(group, name=name)
    return app


def _root(
    show_version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if show_version:
        machine_verbs.version(json=False)
        raise typer.Exit(0)


def run(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: The words after ``makar``.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted.
    """
    as_json = "--json" in arguments
    if not arguments:
        arguments = ["--help"]
    app = make_app(with_completion="_MAKAR_COMPLETE" in os.environ or arguments[0].startswith("-"))
    try:
        code = app(arguments, prog_name="makar", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone. Python would complain once more when it flushes stdout at exit, so stdout is pointed at nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as error:
        return report(usage_failure(error, typer.main.get_command(app), arguments), as_json=as_json)
    except (Exception, KeyboardInterrupt) as error:
        return report(error, as_json=as_json)
    if code == 130:
        return report(KeyboardInterrupt(), as_json=as_json)
    return code if isinstance(code, int) else 0

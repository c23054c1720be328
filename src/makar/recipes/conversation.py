"""Recipes for models that talk, and the rule for their sizes: those of a model of text with as much arithmetic.

A recipe that begins from a model of text or of conversations keeps its network and its tokens, adds the tokens of the roles where they are
missing, and moves the weights gently (``makar.recipe.GENTLE_RATE``).
"""

from makar.codecs.chat_config import CONVERSATION, PAIRS, PLAIN_TEMPLATE, PROMPTS, SCORES, ChatCodecConfig
from makar.codecs.codec import CodecConfig
from makar.codecs.pretrained_text_config import PretrainedTextCodecConfig
from makar.codecs.text_config import BpeCodecConfig, ByteCodecConfig, CharacterCodecConfig
from makar.errors import UnsupportedError
from makar.families.conversation.config import ChatConfig, SpeakingConfig, decoder_of
from makar.families.conversation.feedback_config import DpoConfig, RewardConfig
from makar.families.conversation.policy_config import GRPO, PPO, PolicyConfig
from makar.families.family_config import FamilyConfig
from makar.families.pretrained.text_config import MEANINGS, PretrainedTextConfig
from makar.recipe import PARENT, OptimisationConfig, Origin, Recipe, Stage, gentle
from makar.recipes.text import text_family_for
from makar.tensor_spec import TARGET, TensorSpec

TOKENS_A_STEP = 2048
"""Of a training that begins from a model: rows times their usual length."""

PREFERENCE_SHARE = 0.1
"""Learning rate of a training by preferences, as a share of that of a gentle one."""

REWARD_SHARE, PROMPTS_A_STEP = 0.3, 16
"""Learning rate of a training by rewards, as a share of that of a gentle one; prompts of a step, each tried several times."""

JUDGED_GRAMS = 2
"""Tokens of the longest run that judges an answer beside the network."""
RUNS_RATE = 3e-3
"""Learning rate of these runs, also where the network begins from a model and moves gently."""

LONGEST, LONGEST_FOREIGN = 512, 2048
"""Tokens of a row where the model that a training begins from has seen no longer ones; and of one that goes over a checkpoint, which may
have seen a hundred thousand."""


def chat(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a model that answers, from nothing or from a model of text.

    Args:
        origin: The model to begin from; ``None`` begins from nothing.

    Raises:
        UnsupportedError: That model is none of text.
    """
    if origin is None:
        stage = Stage(
            name="model",
            codec=ChatCodecConfig(),
            family=ChatConfig(),
            optimisation=OptimisationConfig(learning_rate=5e-3, batch_size=16),
        )
        return _recipe("chat", stage, summary="answers as in the conversations that it learned from")
    stage = grown_stage(origin, ChatConfig(), makes=CONVERSATION)
    return _recipe("chat", stage, summary=f"{origin.parent.name}, taught to answer", origin=origin)


def dpo(origin: Origin | None = None) -> Recipe:
    """Return the recipe that tunes a model that answers by preferences.

    Args:
        origin: The model; ``None`` gives an example.

    Raises:
        UnsupportedError: That model is none that writes text.
    """
    summary = "a model that answers, tuned by pairs of answers of which one is preferred; begins --from MODEL"
    family = DpoConfig()
    if origin is None:
        stage = Stage(name="model", codec=ChatCodecConfig(makes=PAIRS), family=family)
        return _recipe("dpo", stage, summary=summary, grown=True)
    stage = grown_stage(origin, family, makes=PAIRS)
    # An answer is pushed as a whole: rates that suit single tokens tear a model apart (Rafailov et al. 2023, appendix B: 1e-6).
    optimisation = stage.optimisation.changed(
        learning_rate=PREFERENCE_SHARE * stage.optimisation.learning_rate,
        batch_size=max(4, stage.optimisation.batch_size // 2),
    )
    return _recipe("dpo", stage.changed(optimisation=optimisation), summary=summary, origin=origin)


def reward(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a judge of answers that learns from pairs, from nothing or from a model.

    Args:
        origin: The model to begin from; ``None`` begins from nothing.

    Raises:
        UnsupportedError: That model is none of text.
    """
    return _judge("reward", objective=PAIRS, origin=origin)


def rating(origin: Origin | None = None) -> Recipe:
    """Return the recipe for a judge of answers that learns from scores or thumbs, from nothing or from a model.

    Args:
        origin: The model to begin from; ``None`` begins from nothing.

    Raises:
        UnsupportedError: That model is none of text.
    """
    return _judge("rating", objective=SCORES, origin=origin)


def _judge(name: str, *, objective: str, origin: Origin | None) -> Recipe:
    # On the 2,312 pairs of hh a table of runs alone tells 0.63 right, the network alone 0.54 (docs/log.md, 2026-11-29).
    # What a checkpoint has read says more than runs, and without them others open the judge.
    is_foreign = origin is not None and isinstance(decoder_of(origin.model.family), PretrainedTextConfig)
    family = RewardConfig(objective=objective, grams=0 if is_foreign else JUDGED_GRAMS)
    learned = "pairs of which one is preferred" if objective == PAIRS else "answers with a score or a thumb"
    summary = f"a judge that gives an answer a score, learned from {learned}"
    if origin is not None:
        stage = grown_stage(origin, family, makes=objective)
        rate = min(100.0, RUNS_RATE / stage.optimisation.learning_rate)
        stage = stage.changed(family=stage.family.changed(gram_rate=rate))
        return _recipe(name, stage, summary=summary, origin=origin)
    stage = Stage(
        name="model",
        codec=ChatCodecConfig(makes=objective),
        family=family,
        optimisation=OptimisationConfig(learning_rate=5e-3, batch_size=16),
    )
    return _recipe(name, stage, summary=summary)


def grpo(origin: Origin | None = None) -> Recipe:
    """Return the recipe that tunes a model that answers by rewards, each answer against others to the same prompt.

    Args:
        origin: The model; ``None`` gives an example.

    Raises:
        UnsupportedError: That model is none that writes text.
    """
    return _rewarded("grpo", method=GRPO, origin=origin)


def ppo(origin: Origin | None = None) -> Recipe:
    """Return the recipe that tunes a model that answers by rewards, with values that are learned beside.

    Args:
        origin: The model; ``None`` gives an example.

    Raises:
        UnsupportedError: That model is none that writes text.
    """
    return _rewarded("ppo", method=PPO, origin=origin)


def _rewarded(name: str, *, method: str, origin: Origin | None) -> Recipe:
    summary = f"a model that answers, tuned by rewards for right answers ({name.upper()}); begins --from MODEL"
    family = PolicyConfig(method=method)
    if origin is None:
        stage = Stage(name="model", codec=ChatCodecConfig(makes=PROMPTS), family=family)
        return _recipe(name, stage, summary=summary, grown=True)
    stage = grown_stage(origin, family, makes=PROMPTS)
    optimisation = stage.optimisation.changed(
        learning_rate=REWARD_SHARE * stage.optimisation.learning_rate, batch_size=PROMPTS_A_STEP, warmup_steps=5
    )
    return _recipe(name, stage.changed(optimisation=optimisation), summary=summary, origin=origin)


EXPECTED = {
    "dpo": "human pairs of hh, 15 minutes for the model and 5 for the tuning, one busy Zen 3 core: 0.608 (0.520 to 0.689) of the "
    "held-out pairs told right, the longer answer 0.488",
    "reward": "5 minutes of one busy Zen 3 core, held-out human pairs told right: hh 0.600 (0.512 to 0.682), the longer answer "
    "0.488; PandaLM 0.759 (0.631 to 0.854), the longer answer 0.833",
    "grpo": "which of two numbers is larger, 150 steps, three seeds: held-out prompts answered rightly 0.375 to 0.926, 0.314 to "
    "0.729, 0.484 to 0.967",
    "ppo": "which of two numbers is larger, 150 steps, three seeds: held-out prompts answered rightly 0.375 to 0.941, 0.314 to "
    "0.757, 0.484 to 0.908",
}
"""What was measured, by name of the recipe (docs/log.md, 2026-11-30)."""

NOT_MEASURED = "not measured at a length of use"


def grown_stage(origin: Origin, family: SpeakingConfig, *, makes: str) -> Stage:
    """Return the stage that takes network and tokens from a model and learns from rows of conversations.

    Args:
        origin: The model.
        family: What is to be learned, with the settings of the recipe.
        makes: What a row becomes.

    Raises:
        UnsupportedError: The model is none of text or conversations.
    """
    model = origin.model
    decoder, base = decoder_of(model.family), text_codec_of(model.codec)
    is_judge = isinstance(model.family, RewardConfig) and not isinstance(family, RewardConfig)
    if decoder is None or base is None or is_judge:
        raise UnsupportedError(
            f'"{origin.parent.name}" is of family "{model.family.kind}"{_for(model.family)}, which cannot be taught to talk',
            expected="a model that continues text or of conversations",
            do=DO_INSTEAD.get(model.family.kind, "makar train TEXT -o WRITER, and then --from WRITER"),
        )
    if decoder.adapter is not None:
        # What is learned beside a network has no place in an adapter, and says so.
        family.with_decoder(decoder.changed(adapter=None)).with_adapter(decoder.adapter)
    optimisation = gentle(model).changed(
        batch_size=max(4, TOKENS_A_STEP // family.usual), accumulate=1, average_share=0.0, gradient_clip=1.0
    )
    codec = ChatCodecConfig(base=base, makes=makes, longest=max(LONGEST, decoder.context))
    if isinstance(decoder, PretrainedTextConfig):
        # It gets no tokens, and its positions may be all that it has rows for.
        template = model.codec.template if isinstance(model.codec, ChatCodecConfig) else PLAIN_TEMPLATE
        codec = codec.changed(longest=min(decoder.context or LONGEST_FOREIGN, LONGEST_FOREIGN), template=template)
    else:
        decoder = decoder.changed(context=codec.longest)
    stage = Stage(
        name=model.name,
        codec=codec,
        family=family.with_decoder(decoder),
        optimisation=optimisation,
        begins=PARENT,
    )
    return stage.changed(family=stage.family.bound_to(origin.plain_spec(stage)))


DO_INSTEAD = {
    "pretrained-text": "take a checkpoint that continues text (GPT-2, Llama, Gemma ...); pairs of texts are learned from nothing: "
    "makar train PAIRS"
}
"""By kind of family: what is possible where it cannot be taught to talk."""


def _for(family: FamilyConfig) -> str:
    """Return what a checkpoint of others is for, in words."""
    return f" and {MEANINGS[family.task]}" if isinstance(family, PretrainedTextConfig) else ""


def text_codec_of(codec: CodecConfig) -> CodecConfig | None:
    """Return the codec of what is said in a model of text or of conversations, ``None`` where it is another kind of codec."""
    if isinstance(codec, ChatCodecConfig):
        return codec.base
    known = ByteCodecConfig | CharacterCodecConfig | BpeCodecConfig | PretrainedTextCodecConfig
    return codec if isinstance(codec, known) else None


def _recipe(name: str, stage: Stage, *, summary: str, origin: Origin | None = None, grown: bool = False) -> Recipe:
    return Recipe(
        name=name,
        medium="text",
        summary=summary,
        expected=EXPECTED.get(name, NOT_MEASURED),
        stages=(stage,),
        grown=grown or origin is not None,
        grows=not grown,
        parent=None if origin is None else origin.parent,
    )


def size_speaking(
    stage: Stage, *, operations: float, items: int, spec: TensorSpec
) -> tuple[FamilyConfig, OptimisationConfig]:
    """Size a model that talks as a model of text with as much arithmetic; a step sees as many tokens, in whole rows.

    Args:
        stage: The stage as its recipe describes it.
        operations: Floating-point operations of the whole training.
        items: Different training tokens.
        spec: What the codec makes.
    """
    family, codec = stage.family.bound_to(spec), stage.codec
    assert isinstance(family, SpeakingConfig) and isinstance(codec, ChatCodecConfig), "the rule is registered for these"
    rows = len(family.rows) * family.passes
    decoder, optimisation = text_family_for(operations / rows, tokens=items, vocabulary=spec[TARGET].vocabulary or 2)
    tokens = optimisation.batch_size * decoder.context
    batch_size = max(2, round(tokens / family.usual / len(family.rows)))
    return (
        family.with_decoder(decoder.changed(context=max(decoder.context, codec.longest))),
        optimisation.changed(batch_size=batch_size, gradient_clip=1.0),
    )

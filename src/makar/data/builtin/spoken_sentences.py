"""Sentences to be spoken: commands of a closed grammar, and plain sentences put together from common words.

The grammar is that of the GRID corpus (Cooke et al. 2006, J. Acoust. Soc. Am. 120, 2421) with words of a spelling alphabet in the place of
letters, so that a recogniser can be held to it. The plain sentences are made for this: a dozen patterns and some hundred words that
together have every phone of English in many neighbourhoods; they mean little and are nobody's.
"""

import random
from collections.abc import Callable

COMMANDS = (
    ("bin", "lay", "place", "set"),
    ("blue", "green", "red", "white"),
    ("at", "by", "in", "with"),
    ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"),
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    ("again", "now", "please", "soon"),
)
"""One word of each row makes a command."""

COMMANDS_SHARE = 1 / 3

_WORDS = {
    "who": "the teacher;my brother;a young woman;her father;the old sailor;our neighbour;the judge;his daughter;the chef;a tall stranger;"
    "the farmer;my cousin;the whole choir;a boy;the mayor;the engineer;their uncle;a nurse;the butcher;each child;the guide;your friend;"
    "the author;a thief;the youngest pupil;the king;our captain;an honest lawyer;the baker;the shepherd;he;she;nobody;everyone;somebody",
    "did": "found;washed;carried;bought;sold;painted;watched;forgot;noticed;measured;hid;described;dropped;chose;repaired;wanted;"
    "broke;enjoyed;pulled;threw;counted;borrowed;shook;showed us;brought back;gave away;looked for;wrote about;thought of;talked about",
    "what": "a large box;the yellow boat;an empty house;two fresh eggs;the first page;a garden chair;some dark bread;the heavy key;"
    "the museum;a piece of cheese;the garage;three small fish;a purple shirt;his new violin;the broken clock;an orange;the same picture;"
    "a bag of coins;the village church;her blue umbrella;the treasure;a cup of tea;an ancient map;the wrong number;a good idea;"
    "four thick books;the usual answer;a long rope;the white horse;this measure;a pair of shoes;the new bridge;a loud noise;the oil lamp",
    "how": "quickly;with great care;without a word;in silence;rather badly;by mistake;for pleasure;with joy;at once;as usual;too soon;"
    "in a hurry;with both hands;all alone;very gently;by chance",
    "where": "in the kitchen;under the bridge;near the river;behind the school;at the market;on the mountain;beside the road;in the shadow;"
    "by the fire;across the field;above the valley;outside the town;on the beach;at the top of the stairs;in the next room;along the shore",
    "when": "yesterday;before lunch;on Thursday;last winter;every morning;after the storm;in July;at noon;this afternoon;for an hour;"
    "until midnight;twice a year;during the war;two weeks ago;in the evening;since spring",
    "was": "cold;quiet;golden;beautiful;too narrow;ready;strange;worth the journey;rather cheap;full of water;thirty years old;smooth;"
    "unusual;as hard as stone;nearly finished;bright and clear;never large enough;still warm;covered with snow;quite useful",
    "thing": "the sky;the water;that story;the paper;his voice;the weather;the leather;the engine;the forest;the journey;this road;"
    "the room;the moon;our supper;the music;the other shelf;their cottage;the judgement;the fog;the earth;the television;"
    "the vision;the bath",
    "will": "will;should;could;must;would;might",
    "do": "open the door;go home;join us;wait outside;sing a song;ask for more;leave the ship;read it aloud;cook the rice;hold the wheel;"
    "push the cart;follow the path;teach the class;dig a hole;choose a prize;light the fire;catch the bus;write a letter;feed the birds",
    "if": "if it rains;when the bell rings;because of the noise;as soon as we arrive;while the sun shines;unless you object;"
    "before the guests come;after the game;now that the ice has gone;though nobody knew why",
}
WORDS = {kind: tuple(words.split(";")) for kind, words in _WORDS.items()}
PATTERNS = (
    "{who} {did} {what} {where}",
    "{who} {did} {what} {when}",
    "{when}, {who} {did} {what}",
    "{thing} was {was}",
    "{thing} was {was}, but {thing} was {was}",
    "{who} {will} {do} {if}",
    "{who} {will} {do} {how}",
    "did {who} {do} {when}?",
    "{where}, {thing} was {was}",
    "{do}, {who} said {how}",
    "{how}, {who} {did} {what}",
    "why was {thing} {was} {when}?",
)


def sentences(count: int, *, seed: int) -> list[str]:
    """Return different sentences, a third of them commands, in no order.

    Args:
        count: How many; at most ``MOST_SENTENCES``.
        seed: Seed of the draws.

    >>> sentences(3, seed=0) == sentences(3, seed=0), len(set(sentences(600, seed=1)))
    (True, 600)
    """
    draw = random.Random(seed)
    told = commands(round(count * COMMANDS_SHARE), draw=draw)
    every = [*told, *_different(count - len(told), lambda: _plain(draw))]
    draw.shuffle(every)
    return every


MOST_SENTENCES = 20_000
"""There are 30,720 commands and millions of the others."""


def commands(count: int, *, draw: random.Random) -> list[str]:
    """Return different commands.

    Args:
        count: How many.
        draw: Source of the draws.
    """
    return _different(count, lambda: " ".join(draw.choice(words) for words in COMMANDS))


def jsgf() -> str:
    """Return the grammar of the commands as recognisers read it (JSpeech Grammar Format)."""
    rows = " ".join(f"({' | '.join(words)})" for words in COMMANDS)
    return f"#JSGF V1.0; grammar commands; public <command> = {rows};"


def _different(count: int, drawn: Callable[[], str]) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[drawn()] = None
    return list(found)


def _plain(draw: random.Random) -> str:
    pattern = draw.choice(PATTERNS)
    while "{" in pattern:
        kind = pattern[pattern.index("{") + 1 : pattern.index("}")]
        pattern = pattern.replace(f"{{{kind}}}", draw.choice(WORDS[kind]), 1)
    return f"{pattern[0].upper()}{pattern[1:]}{'' if pattern.endswith('?') else '.'}"

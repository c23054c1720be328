"""SMILES cut into atoms, bonds, branches and rings, and what is wrong with the form of one; no chemistry.

The tokens are those of Schwaller et al. 2019 (arXiv 1811.02633, section 4): an atom in brackets is one token, as are ``Cl``, ``Br`` and
``%12``; everything else is one character. ``form_problem`` looks at the grammar alone (Weininger 1988): brackets and branches that close,
rings that open and close, bonds between atoms. A well-formed line may still be no molecule (an atom with too many bonds): only RDKit
can tell.
"""

import re

TOKEN = re.compile(
    r"(\[[^\[\]]+\]|Br|Cl|%[0-9]{2}|[BCNOSPFI]|[bcnosp]|[0-9]|[()\.=#$:/\\~*\-])",
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789[]()@+-=#$:/\\.%*~"
"""Every character that a SMILES may have."""

_BONDS = frozenset("=#$:/\\~-")
_BRACKET = re.compile(r"\[([0-9]*)(\*|[A-Z][a-z]?|[a-z][a-z]?)(@{0,2}[A-Z0-9]*)(H[0-9]*)?([+-]+[0-9]*)?(:[0-9]+)?\]")


def smiles_tokens(smiles: str) -> list[str]:
    """Return the tokens of a SMILES, or of the beginning of one; characters that belong to no token are left out.

    >>> smiles_tokens("C[C@@H](N)Cl")
    ['C', '[C@@H]', '(', 'N', ')', 'Cl']
    """
    return TOKEN.findall(smiles)


def alphabet_problem(smiles: str) -> str:
    """Return what is wrong with the characters of a text that should be a SMILES; empty where nothing is."""
    foreign = sorted(set(smiles) - set(ALPHABET))
    return f"{', '.join(map(repr, foreign[:5]))} stands in no SMILES" if foreign else ""


def form_problem(smiles: str) -> str:
    """Return what is wrong with the form of a SMILES, in words; empty where it is well formed.

    >>> form_problem("c1ccccc1"), form_problem("c1ccccc")
    ('', 'ring 1 is opened and not closed')
    """
    if not smiles:
        return "it is empty"
    if foreign := alphabet_problem(smiles):
        return foreign
    tokens = smiles_tokens(smiles)
    if "".join(tokens) != smiles:
        return f"{_first_stray(smiles)!r} is no atom, bond, branch or ring"
    return _problem_of_order(tokens) or _problem_of_rings(tokens)


def _problem_of_order(tokens: list[str]) -> str:
    depth, before = 0, ""
    for token in tokens:
        is_atom = token[0] == "[" or token[0].isalpha() or token == "*"
        if token[0] == "[" and not _BRACKET.fullmatch(token):
            return f"{token} is no atom"
        if not is_atom and before in ("", "."):
            return f"{token} stands before the first atom of a molecule"
        if token in _BONDS and before in _BONDS:
            return f"two bonds {before}{token} stand together"
        if token in (")", ".", "(") and (before in _BONDS or (before == "(" and token != "(")):
            return f"{before} leads to no atom"
        if token == ")" and not depth:
            return "a branch is closed that was not opened"
        depth += (token == "(") - (token == ")")
        before = token
    if depth:
        return "a branch is opened and not closed"
    return f"{before} leads to no atom" if before in _BONDS or before in (".", "(") else ""


def _problem_of_rings(tokens: list[str]) -> str:
    opened: set[str] = set()
    for token in tokens:
        if token[0] == "%" or token.isdigit():
            opened ^= {token.removeprefix("%").lstrip("0") or "0"}
    return f"ring {sorted(opened)[0]} is opened and not closed" if opened else ""


def _first_stray(smiles: str) -> str:
    place = 0
    for match in TOKEN.finditer(smiles):
        if match.start() != place:
            break
        place = match.end()
    return smiles[place : place + 10]

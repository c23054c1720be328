"""Licences that files state, as SPDX identifiers: LICENSE texts, mentions in SOURCE.md and README, headers of source files.

A mention is taken only from a section or line about the licence, and only by names that are not ordinary words. Several names in
one place become ``A AND B``: which of them holds for which file is not ours to say, so all do. Nothing found is ``NOASSERTION``.
"""

import re
from pathlib import PurePosixPath

from makar.data.record import UNKNOWN_LICENCE

_TEXTS: tuple[tuple[str, str], ...] = (
    (r"Apache License\s+Version 2\.0", "Apache-2.0"),
    (r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3", "AGPL-3.0-only"),
    (r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3", "LGPL-3.0-only"),
    (r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1", "LGPL-2.1-only"),
    (r"GNU GENERAL PUBLIC LICENSE\s+Version 3", "GPL-3.0-only"),
    (r"GNU GENERAL PUBLIC LICENSE\s+Version 2", "GPL-2.0-only"),
    (r"Mozilla Public License,? [Vv]ersion 2\.0", "MPL-2.0"),
    (r"PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "PSF-2.0"),
    (r"CC0 1\.0 Universal", "CC0-1.0"),
    (r"Attribution-NonCommercial-ShareAlike 4\.0", "CC-BY-NC-SA-4.0"),
    (r"Attribution-NonCommercial 4\.0", "CC-BY-NC-4.0"),
    (r"Attribution-ShareAlike 4\.0", "CC-BY-SA-4.0"),
    (r"Attribution-ShareAlike 3\.0", "CC-BY-SA-3.0"),
    (r"Attribution 4\.0 International", "CC-BY-4.0"),
    (r"SIL OPEN FONT LICENSE Version 1\.1", "OFL-1.1"),
    (r"This is free and unencumbered software", "Unlicense"),
    (r"Permission is hereby granted, free of charge", "MIT"),
    (r"Permission to use, copy, modify, and(?:/or)? distribute this software", "ISC"),
    (r"Neither the name[^.]{0,200}may be used to endorse", "BSD-3-Clause"),
    (r"Redistributions in binary form must reproduce", "BSD-2-Clause"),
)
_MENTIONS: tuple[tuple[str, str], ...] = (
    (r"Apache(?: License)?(?:,? Version)?[- ]2\.0", "Apache-2.0"),
    (r"\bMIT\b", "MIT"),
    (r"\bBSD[- ]3(?:-Clause)?", "BSD-3-Clause"),
    (r"\bBSD[- ]2(?:-Clause)?", "BSD-2-Clause"),
    (r"\bAGPL[- ]?v?3(?:\.0)?", "AGPL-3.0-only"),
    (r"\bLGPL[- ]?v?3(?:\.0)?", "LGPL-3.0-only"),
    (r"(?<![AL])GPL[- ]?v?3(?:\.0)?", "GPL-3.0-only"),
    (r"(?<![AL])GPL[- ]?v?2(?:\.0)?", "GPL-2.0-only"),
    (r"\bMPL[- ]2(?:\.0)?", "MPL-2.0"),
    (r"\bAFL[- ]3(?:\.0)?", "AFL-3.0"),
    (r"\bOFL[- ]1\.1", "OFL-1.1"),
    (r"\bODC[- ]By\b", "ODC-By-1.0"),
    (r"\bPSF[- ]2(?:\.0)?", "PSF-2.0"),
    (r"\bCC0(?:[- ]1\.0)?", "CC0-1.0"),
    (r"Unicode [Ll]icen[cs]e V3", "Unicode-3.0"),
)
_CREATIVE_COMMONS = re.compile(r"\bCC[- ]BY((?:[- ](?:NC|SA|ND))*)[- ]?([1-4]\.0)", re.IGNORECASE)
_HEADER = re.compile(rb"SPDX-License-Identifier:\s*([A-Za-z0-9.+\-() ]{2,100}?)\s*(?:\*/|-->|\r?\n|$)")
_KNOWN = {identifier.lower(): identifier for _, identifier in (*_TEXTS, *_MENTIONS)} | {
    "apache 2.0": "Apache-2.0", "apache2": "Apache-2.0", "cc0": "CC0-1.0", "gpl-3.0": "GPL-3.0-only", "gpl-2.0": "GPL-2.0-only",
    "public domain": "LicenseRef-public-domain", "cc-by": "CC-BY-4.0", "cc-by-sa": "CC-BY-SA-4.0", "psfl": "PSF-2.0",
}  # fmt: skip


def is_licence_file(name: str) -> bool:
    """Whether a file by its name is the text of a licence."""
    stem = PurePosixPath(name.rpartition("!/")[2]).name.upper()
    return stem.partition(".")[0].split("-")[0].split("_")[0] in ("LICENSE", "LICENCE", "COPYING", "UNLICENSE")


def is_description(name: str) -> bool:
    """Whether a file by its name describes the data rather than being part of it."""
    stem = PurePosixPath(name.rpartition("!/")[2]).name.upper().partition(".")[0]
    return stem in ("README", "SOURCE", "DATASET", "DATASHEET", "ATTRIBUTION", "CITATION", "NOTICE", "README_ORIGINAL")


def licence_of_text(text: str) -> str:
    """Return the identifier of a licence from its full text, ``NOASSERTION`` when it is not known."""
    start = re.sub(r"\s+", " ", text[:20_000])
    for pattern, identifier in _TEXTS:
        if re.search(pattern, start, re.IGNORECASE):
            return identifier
    return licence_of_mention(text[:2000])


def licence_of_mention(text: str) -> str:
    """Return what a description says about the licence: one identifier, several with AND, or ``NOASSERTION``."""
    section = re.search(r"(?im)^#+\s*licen[cs](?:e|ing)\b[^\n]*\n(.*?)(?=^#|\Z)", text, re.DOTALL)
    if section:
        about = section[1]
    else:
        about = "\n".join(line for line in text.splitlines() if re.search(r"licen[cs]e", line, re.IGNORECASE))
    return licence_named(about[:5000])


def licence_named(text: str) -> str:
    """Return the identifiers that a short text names, joined by AND, or ``NOASSERTION``.

    >>> licence_named("code MIT, pictures CC BY-SA 4.0")
    'CC-BY-SA-4.0 AND MIT'
    """
    stripped = text.strip().lower()
    if stripped in _KNOWN:
        return _KNOWN[stripped]
    found = {identifier for pattern, identifier in _MENTIONS if re.search(pattern, text)}
    for terms, version in _CREATIVE_COMMONS.findall(text):
        found.add("CC-BY" + re.sub(r"[- ]", "-", terms.upper()) + "-" + version)
    if re.search(r"public[- ]domain", text, re.IGNORECASE) and not found:
        found.add("LicenseRef-public-domain")
    return " AND ".join(sorted(found)) or UNKNOWN_LICENCE


def licence_of_header(head: bytes) -> str | None:
    """Return what an ``SPDX-License-Identifier`` line at the top of a file says, ``None`` without one."""
    match = _HEADER.search(head)
    return match[1].decode("ascii").strip() if match else None

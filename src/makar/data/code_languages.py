"""The programming language of a source file: by suffix, by well-known name, else by its first line (``#!``)."""

from pathlib import PurePosixPath

SUFFIXES: dict[str, str] = {
    "py": "python", "pyi": "python", "pyx": "cython", "js": "javascript", "mjs": "javascript", "cjs": "javascript",
    "jsx": "javascript", "ts": "typescript", "tsx": "typescript", "c": "c", "h": "c", "cc": "c++", "cpp": "c++",
    "cxx": "c++", "hpp": "c++", "hh": "c++", "hxx": "c++", "cu": "cuda", "java": "java", "kt": "kotlin", "kts": "kotlin",
    "scala": "scala", "go": "go", "rs": "rust", "rb": "ruby", "php": "php", "pl": "perl", "pm": "perl", "swift": "swift",
    "m": "objective-c", "mm": "objective-c", "cs": "c#", "fs": "f#", "vb": "visual-basic", "lua": "lua", "r": "r",
    "jl": "julia", "hs": "haskell", "ml": "ocaml", "mli": "ocaml", "clj": "clojure", "ex": "elixir", "exs": "elixir",
    "erl": "erlang", "lisp": "lisp", "el": "lisp", "scm": "scheme", "rkt": "racket", "dart": "dart", "zig": "zig",
    "nim": "nim", "d": "d", "f90": "fortran", "f": "fortran", "for": "fortran", "pas": "pascal", "ada": "ada",
    "adb": "ada", "asm": "assembly", "s": "assembly", "v": "verilog", "sv": "verilog", "vhd": "vhdl", "sh": "shell",
    "bash": "shell", "zsh": "shell", "fish": "shell", "ps1": "powershell", "bat": "batch", "sql": "sql", "css": "css",
    "scss": "css", "less": "css", "vue": "vue", "svelte": "svelte", "proto": "protobuf", "graphql": "graphql",
    "tf": "terraform", "cmake": "cmake", "mk": "make", "gradle": "groovy", "groovy": "groovy", "yaml": "yaml",
    "yml": "yaml", "toml": "toml", "xml": "xml", "svg": "svg", "ini": "ini", "cfg": "ini",
}  # fmt: skip
NAMES = {
    "makefile": "make",
    "gnumakefile": "make",
    "dockerfile": "docker",
    "cmakelists.txt": "cmake",
    "rakefile": "ruby",
}
INTERPRETERS = {
    "python": "python", "node": "javascript", "bash": "shell", "sh": "shell", "zsh": "shell", "dash": "shell",
    "perl": "perl", "ruby": "ruby", "php": "php", "lua": "lua", "rscript": "r", "awk": "awk", "make": "make",
}  # fmt: skip


def language_of(name: str, head: bytes) -> str | None:
    """Return the language of a source file in lower case, ``None`` when the file is no code.

    >>> language_of("a/b.py", b""), language_of("run", b"#!/usr/bin/env python3\\n"), language_of("a.txt", b"Hello")
    ('python', 'python', None)
    """
    path = PurePosixPath(name.rpartition("!/")[2])
    file = path.name.lower()
    for compressed in (".gz", ".bz2", ".xz"):
        file = file.removesuffix(compressed)
    if file in NAMES:
        return NAMES[file]
    suffix = file.rpartition(".")[2] if "." in file else ""
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if head.startswith(b"#!") and suffix not in ("txt", "md"):
        words = head.partition(b"\n")[0][2:].decode("ascii", "replace").replace("/", " ").split()
        for word in reversed(words):
            program = word.rstrip("0123456789.").lower()
            if program in INTERPRETERS:
                return INTERPRETERS[program]
    return None

"""Languages by the names that models give them, on fences and in tool calls. Pure."""

from __future__ import annotations

SHELL = frozenset({"sh", "bash", "shell", "zsh", "fish", "console", "terminal", "cmd", "bat", "powershell", "ps1"})
TEXT = frozenset({"text", "txt", "plain", "plaintext", "output", "out", "stdout", "result", "log"})
MARKDOWN = frozenset({"markdown", "md"})
_PYTHON = frozenset({"ipython", "jupyter", "tool_code", "code", "pycon", "python_code", "python-repl", "notebook"})
_ALONE = frozenset({"python", "py", "ipython"})


def is_python(tag: str) -> bool:
    """Whether a tag in lower case says that what follows is to be run."""
    return tag in _PYTHON or tag.rstrip("0123456789.") in _ALONE


def without_tag(source: str) -> str:
    """Without a first line that is nothing but the name of the language; `code` and the like may be variables."""
    first, _, rest = source.lstrip("\n").partition("\n")
    named = first.strip().lower().rstrip(":").rstrip("0123456789.") in _ALONE
    return rest if named and rest.strip() else source

"""Where keys come from: the environment, else a file that only its owner may read, else the keyring of the system.

The file is `keys.toml` in the folder of what commands add, one NAME = "value" a line. The keyring is an extra, and is
only asked for a variable that the configuration names and that stands nowhere else. No message here holds a value.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Literal, TypeAlias, TypeVar

from .errors import EnvironmentFault, UsageFault

FILE = "keys.toml"
UNFINISHED = ".keys-"
"""How the names of files begin that are to become the file."""
SERVICE = "ecoassist"
"""Under which the keyring holds our entries; their user names are the variables."""
SECONDS = 30.0
"""How long the keyring may take: a locked one asks the person for its password."""
MOST = 1 << 20
"""Bytes of the file."""
PROVIDERS = {
    "api.openai.com": "OPENAI_API_KEY",
    "api.anthropic.com": "ANTHROPIC_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
    "api.mistral.ai": "MISTRAL_API_KEY",
    "api.deepseek.com": "DEEPSEEK_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
    "api.groq.com": "GROQ_API_KEY",
}
"""Hosts of the model endpoints that are known by name, and the variables of their keys."""
AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
"""How the hosts of Azure's resources end."""
AZURE_KEY = "AZURE_OPENAI_API_KEY"
MODEL_KEYS = (*PROVIDERS.values(), "GOOGLE_API_KEY", AZURE_KEY)
"""All variables with keys of model endpoints; Gemini's may stand in Google's as well."""

Source = Literal["environment", "file", "keyring"]
Store = Literal["file", "keyring"]
LookUp: TypeAlias = Callable[[str], "str | None"]
_T = TypeVar("_T")
_REMEDY_KEYRING = "put the key into the environment, or into the file: ecoassist api key NAME"


def key_of_host(host: str) -> str | None:
    """The variable of the key of a model endpoint; None: not known."""
    return PROVIDERS.get(host) or (AZURE_KEY if host.endswith(AZURE) else None)


class Keys(Mapping[str, str]):
    """Keys by the names of their variables; iteration goes over the declared ones that are set.

    Nothing is read before the first key that the environment lacks. A lookup raises UsageFault where the file is
    unfit; a keyring that does not work is no error, and `troubles` says so.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        file: Path | None = None,
        declared: Iterable[str] = (),
        look_up: LookUp | None = None,
    ) -> None:
        """`declared`: variables that the keyring may be asked for. `look_up`: asks it; by default the system's."""
        self._environ, self._file, self._declared = environ or {}, file, tuple(dict.fromkeys(declared))
        self._look_up = look_up or from_keyring
        self._lock = threading.RLock()
        self._filed: dict[str, str] | None = None
        self._ringed: dict[str, str | None] = {}
        self.troubles: list[str] = []
        """What did not work, in words for the person."""

    def __getitem__(self, variable: str) -> str:
        found = self._find(variable)
        if not found:
            raise KeyError(variable)
        return found[1]

    def __iter__(self) -> Iterator[str]:
        return (variable for variable in self._declared if variable in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Keys({', '.join(self._declared)})"  # a value must not reach a traceback or a log

    def source(self, variable: str) -> Source | None:
        """Where the key is from; None: it is not set."""
        found = self._find(variable)
        return found[0] if found else None

    def held(self) -> dict[str, str]:
        """Those that this process has: the environment's, all of the file once it was read, what the keyring gave."""
        named = {name: self._environ.get(name) for name in (*self._declared, *MODEL_KEYS)}
        known = {**self._ringed, **(self._filed or {}), **{name: value for name, value in named.items() if value}}
        return {name: value for name, value in known.items() if value}

    def _find(self, variable: str) -> tuple[Source, str] | None:
        if value := self._environ.get(variable):
            return "environment", value
        with self._lock:
            if self._filed is None:
                self._filed = read(self._file) if self._file else {}
            if value := self._filed.get(variable):
                return "file", value
            if variable in self._declared and (value := self._from_keyring(variable)):
                return "keyring", value
        return None

    def _from_keyring(self, variable: str) -> str | None:
        """Asked once for each variable, and not again after it has failed."""
        if variable not in self._ringed and not self.troubles:
            try:
                self._ringed[variable] = self._look_up(variable)
            except EnvironmentFault as error:
                self.troubles.append(f"{error}; {error.remedy}")
        return self._ringed.get(variable)


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(file: Path, user: int | None = None) -> dict[str, str]:
    """What the file holds; nothing where there is none. `user`: whose it has to be; None: whose this process is.

    Raises UsageFault where others could read or could have written it, or where it is not NAME = "value" lines.
    """
    return _parsed(file, _text(file, user))


def _text(file: Path, user: int | None = None) -> str:
    try:
        return _private_text(file, os.geteuid() if user is None else user)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageFault(f"cannot read {file}: {why}", "correct or remove it") from None


def _private_text(file: Path, user: int) -> str:
    try:  # not through a link: it would be the keys of whoever made it; not waiting, as a pipe would have us
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if file.is_symlink():
            raise UsageFault(f"{file} is a symbolic link", "put the file itself there") from None
        raise
    with open(descriptor, "rb") as opened:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UsageFault(f"{file} is no regular file", "remove it")
        if facts.st_uid != user:
            raise UsageFault(f"{file} belongs to another user", "remove it, or make it yours: chown")
        if facts.st_mode & 0o077:
            mode = stat.S_IMODE(facts.st_mode)
            raise UsageFault(f"{file} holds keys and others may read it (mode {mode:o})", f"chmod 600 {file}")
        if facts.st_size > MOST:
            raise UsageFault(f"{file} is larger than {MOST:,} bytes", "keep only keys in it")
        return opened.read(MOST).decode("utf-8")


def _parsed(file: Path, text: str) -> dict[str, str]:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at [^()]*\)$", str(error))  # the rest of the message may quote what stands there
        where = place[0] if place else ""
        raise UsageFault(f"{file} is not TOML {where}".rstrip(), 'write one NAME = "value" a line') from None
    for name, value in found.items():
        if not isinstance(value, str):
            raise UsageFault(f"{file}: {name} is not a text", 'write it as NAME = "value"')
    return found


# ── keeping a key ───────────────────────────────────────────────────────────────────────────────────────────────────


def put(folder: Path, variable: str, value: str, where: Store = "file") -> None:
    """Keeps a key: in the file in `folder`, whose other lines stay as they are, or in the keyring.

    Raises UsageFault for a name or value that cannot be one and for an unfit file, EnvironmentFault where the disk or
    the keyring does not take it.
    """
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable):
        raise UsageFault("that is no name of a variable", "write it in capitals: WEATHER_KEY")
    if not value or not all("!" <= character <= "~" for character in value):
        raise UsageFault(
            "the key is empty, or holds a space, a line break or a character outside ASCII",
            "check how it was copied: no key has those",
        )
    if where == "keyring":
        in_keyring(lambda ring: ring.set_password(SERVICE, variable, value))
    else:
        _change(folder, variable, value)


def remove(folder: Path, variable: str, where: Store = "file") -> bool:
    """Whether there was such a key, which is gone now. Raises as `put` does."""
    if where == "keyring":
        return in_keyring(lambda ring: _removed(ring, variable))
    return _change(folder, variable, None)


def _change(folder: Path, variable: str, value: str | None) -> bool:
    """Whether the file had the variable."""
    file = folder / FILE
    try:
        with _alone(folder, make=value is not None) as there:
            text = _text(file) if there else ""
            held = _parsed(file, text)
            wanted = {name: key for name, key in (held | {variable: value}).items() if key is not None}
            if wanted != held:
                _replace(file, _edited(text, variable, value, wanted))
    except OSError as error:
        raise EnvironmentFault(f"cannot write {file}: {error.strerror}", f"make {folder} writable") from None
    return variable in held


@contextmanager
def _alone(folder: Path, *, make: bool) -> Iterator[bool]:
    """No other process changes the file meanwhile. Gives whether there is such a folder."""
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_dir():
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in folder.glob(f"{UNFINISHED}*"):  # by a process that was killed while it wrote
            left.unlink()
        yield True
    finally:
        os.close(descriptor)


def _edited(text: str, variable: str, value: str | None, wanted: Mapping[str, str]) -> str:
    """The text of the file with one line changed, comments kept; written anew where that is not so easily done."""
    line = "" if value is None else f"{variable} = {_quoted(value)}\n"
    pattern = re.compile(rf'^[ \t]*(?:{variable}|"{variable}"|\'{variable}\')[ \t]*=[^\n]*\n?', re.MULTILINE)
    edited, changed = pattern.subn(lambda match: line, text, count=1)
    if not changed:
        edited = text + ("\n" if text and not text.endswith("\n") else "") + line
    try:
        if tomllib.loads(edited) == wanted:
            return edited
    except tomllib.TOMLDecodeError:
        pass
    return "".join(f"{_quoted(name)} = {_quoted(held)}\n" for name, held in wanted.items())


def _quoted(value: str) -> str:
    """A text in TOML, which has the escapes of JSON; DEL is the one character that only TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _replace(file: Path, text: str) -> None:
    """All of it or nothing, and never a moment in which others may read it."""
    descriptor, name = mkstemp(prefix=UNFINISHED, dir=file.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as opened:
            os.fchmod(descriptor, 0o600)  # a umask may take even the owner's rights
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


# ── the keyring ─────────────────────────────────────────────────────────────────────────────────────────────────────


def from_keyring(variable: str) -> str | None:
    """What the system's keyring holds; None also where the extra is not installed.

    Raises EnvironmentFault where the keyring does not work, or does not answer in time.
    """
    try:
        import keyring  # noqa: F401 - only whether it is there
    except ImportError:
        return None
    found = in_keyring(lambda ring: ring.get_password(SERVICE, variable))
    return found if isinstance(found, str) else None


def in_keyring(ask: Callable[..., _T], seconds: float = SECONDS) -> _T:
    """What `ask` says of the keyring. Raises EnvironmentFault: no extra, a failure, or no answer within `seconds`."""
    try:
        import keyring
    except ImportError:
        remedy = "pip install 'ecoassist[keyring]', or keep the key in the file"
        raise EnvironmentFault("there is no support for a keyring", remedy) from None
    answer: Future[_T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask(keyring))
        except BaseException as error:  # noqa: BLE001 - backends are foreign, and raise what they like
            answer.set_exception(error)

    # a thread of its own: it cannot be stopped while a locked keyring waits for its password, and must hold up nobody
    threading.Thread(target=work, name="keyring", daemon=True).start()
    wait([answer], seconds)
    if not answer.done():
        raise EnvironmentFault(f"the keyring did not answer within {seconds:g} s", _REMEDY_KEYRING)
    if error := answer.exception():  # not its own words: they might hold the key that it was given
        raise EnvironmentFault(f"the keyring does not work: {type(error).__name__}", _REMEDY_KEYRING)
    return answer.result()


def _removed(ring: object, variable: str) -> bool:
    found = ring.get_password(SERVICE, variable) is not None  # type: ignore[attr-defined]
    if found:
        ring.delete_password(SERVICE, variable)  # type: ignore[attr-defined]
    return found

"""A model's reply, read: code to run, the answer, or neither. Pure.

The protocol (`prompts.py` states it to the model): a reply with python blocks is an action, a reply without is the
answer, and code meant for the reader stands in a `text` fence. Weak models bend it in well-known ways, so the reading
is tolerant; what it decides where the protocol is silent:

- Blocks of one reply are one cell. A block that repeats an earlier one of the same reply counts once.
- Whatever imitates the output of a block ("Output:", a fenced block that is neither python nor shell) ends the action:
  blocks after it were written against an invented result. Text after the last block is dropped for the same reason,
  and so is everything from another speaker's turn on.
- A fence tagged as python is code even if it does not parse, so that the model sees the SyntaxError. An untagged fence
  is code if it parses to something that acts; a fence tagged otherwise only if it is unmistakably Python.
- A fence ends where its content first parses, so a fence inside a docstring does not cut it. One that is never closed
  ends before the first line of prose, or the mark of another kind, up to which it parses.
- A reply that asks for a shell, or calls a tool in JSON without any code, is Malformed unless it states an ANSWER.

What models write is collected in tests/parsing/corpus.txt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecoassist.programs import evidence
from ecoassist.types import Answer, Code, Malformed

from .blocks import ANSWER, Segment, action, segments, unfenced, unwrapped
from .calls import NO_TOOLS, PYTHONISH, call_of, call_within
from .mending import mended
from .stated import answer, in_one_form, line_of
from .tags import without_tag

_IMPORT_LINE = re.compile(r"^(?:import [\w.]+(?: as \w+)?(?:,|[ \t]*(?:#.*)?$)|from [\w.]+ import )", re.M)
_CODE_LINE = re.compile(
    r"^[ \t]*(?:import \w|from [\w.]+ import |print\(|def \w+\(|\w+(?:, \w+)* = .*[(\[]|#[^#\n]*$)", re.M
)
_ACTION_INPUT = re.compile(
    r"^[ \t*]*(?:(?:action|tool)[ _]input|(?:action|tool)[ \t*]*:[^\n]*\n[ \t*]*input)[ \t*]*:[ \t*]*", re.M | re.I
)
_RULES = re.compile(r"\A-{3,}\n|\n-{3,}\Z")
_OBSERVATION = re.compile(r"^[ \t*]*Observation:", re.M | re.I)
_ROLE = re.compile(
    r"\s*(?:<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model|assistant:)",
    re.I,
)
_NEXT_TURN = re.compile(
    r"(?:^|(?<=\|>)|(?<=</s>)|(?<=_turn>))[ \t]*(?:<\|im_start\|>(?!assistant)|<\|start_header_id\|>(?!assistant)"
    r"|<start_of_turn>user|<\|(?:user|observation)\|>|\[INST\])",
    re.M,
)
_SPECIAL = re.compile(
    r"(?:<\|(?:im_end|eot_id|eom_id|end|return|call|endoftext|end_of_text|tool_call_end|action_end)\|>"
    r"|<\|action_start\|>(?=<\|)|<end_(?:code|action|of_turn)>|</s>|<eos>|<｜[\w▁]{1,40}｜>)+[ \t]*(?:$|(?=<\|))",
    re.M,
)
_REASONING = r"(?:\w{1,20}:)?(?:think|thinking|thought|reasoning|reflection|scratchpad)>"
_THINK_OPEN = re.compile(rf"^[ \t]*<{_REASONING}", re.I | re.M)
_THINK_CLOSE = re.compile(rf"</{_REASONING}", re.I)
_THINK_ORPHAN = re.compile(rf"^[ \t]*</{_REASONING}|</{_REASONING}[ \t]*$", re.I | re.M)
_THINK_SPELT = re.compile(r"\[(/?)THINK\]|◁(/?)think▷|<\|(?:begin|(end))_of_thought\|>")
_ACTION_START = re.compile(r"^[ \t]*(?:`{3}|~{3}|<tool_call>|<execute|\**ANSWER\b)", re.M)
_LOST_FINAL = "assistantfinal"
"""What is left of harmony's channels where a server drops their tokens."""


def parse(text: str) -> Code | Answer | Malformed:
    """Reads one reply. Any text is fine, and the time taken grows with its length only linearly.

    `Answer.value` is what a last line `ANSWER: <JSON value>` holds: the decoded value, or the stripped text where that
    is no JSON. The line is taken out of `Answer.text`, unless the text is nothing else; then the text is the value.
    """
    text = _SPECIAL.sub("", _own_turn(_plain(text)))
    if not text.strip():
        return Malformed("the reply is empty")
    text = _without_reasoning(text).strip("\n")
    if not text.strip():
        return Malformed("the reply holds nothing but reasoning")
    call = call_of(text)
    if call:
        return Code(unwrapped(call))
    cut = tuple(segments(text))
    code = action(cut)
    if code:
        return Code(code)
    prose = "\n".join(segment.body for segment in cut if segment.kind == "prose")
    call = next((one for one in (call, _action_input(prose), call_within(prose)) if one is not None), None)
    if call:
        return Code(unwrapped(call))
    if all(segment.kind == "prose" for segment in cut) and (bare := _bare(text)):
        return Code(bare)
    text = in_one_form(text)
    if line_of(text.split("\n")) is None:
        why = _why_malformed(cut, text, tool_call=call == "")
        if why:
            return Malformed(why)
    return answer(text)


def _plain(text: str) -> str:
    """One kind of newline; nothing that could not be stored or sent as UTF-8."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")
    return text.encode("utf-8", "replace").decode("utf-8")


def _own_turn(text: str) -> str:
    """What the model itself says: without the mark of its role, and before the turn of anybody else."""
    role = _ROLE.match(text)
    text = text[role.end() :] if role else text
    following = _NEXT_TURN.search(text, 1)
    return text[: following.start()] if following else text


def _without_reasoning(text: str) -> str:
    """Without <think> parts. Before a closing tag alone stands reasoning too: its opening tag was in the prompt."""
    if "<|message|>" in text:  # harmony: the last channel's message
        text = text[text.rindex("<|message|>") + len("<|message|>") :]
    elif text.startswith("analysis") and _LOST_FINAL in text:
        text = text[text.rindex(_LOST_FINAL) + len(_LOST_FINAL) :]
    text = _THINK_SPELT.sub(lambda tag: "</think>" if any(tag.groups()) else "<think>", text)
    orphan = _THINK_ORPHAN.search(text)
    first = _THINK_OPEN.search(text)
    position = orphan.end() if orphan and not (first and first.start() < orphan.start()) else 0
    kept = []
    while opening := _THINK_OPEN.search(text, position):
        kept.append(text[position : opening.start()])
        closing = _THINK_CLOSE.search(text, opening.end())
        if not closing:  # never closed: it lasts until something that is not reasoning
            begun = _ACTION_START.search(text, opening.end())
            position = begun.start() if begun else len(text)
            break
        position = closing.end()
    return "".join(kept) + text[position:]


def _why_malformed(cut: Sequence[Segment], text: str, *, tool_call: bool) -> str:
    kinds = {segment.kind for segment in cut}
    if "broken" in kinds:
        return next(segment.body for segment in cut if segment.kind == "broken")
    if tool_call:
        return NO_TOOLS
    if "shell" in kinds:
        return "only python runs: write python in a ```python block, and commands for the reader in a ```text block"
    if not any(segment.body.strip() or segment.kind != "prose" for segment in cut):
        return "the code block is empty"
    if kinds == {"prose"} and _IMPORT_LINE.match(text.lstrip()):
        return "code must stand in a ```python block"
    return ""


def _action_input(prose: str) -> str | None:
    """The code that an "Action Input:" holds, bare or as a call; empty where it holds none."""
    begun = _ACTION_INPUT.search(prose)
    if not begun:
        return None
    end = _OBSERVATION.search(prose, begun.end())
    said = prose[begun.end() : end.start() if end else len(prose)]
    meant = mended(said.strip())
    return call_of(said) or (meant if meant and evidence(meant) else "")


def _bare(text: str) -> str | None:
    """Code without any fence: the whole reply, or all of it from a line on that could be its first."""
    body = without_tag(_RULES.sub("", text.strip()).strip("`").strip())
    meant = mended(body)
    if meant and evidence(meant) == 2 and not ANSWER.fullmatch(body):
        return meant.strip("\n")
    for start, _ in zip(_CODE_LINE.finditer(body), range(3), strict=False):
        rest = body[start.start() :]
        program = unfenced(rest)
        meant = mended(program)
        whole = program == rest or PYTHONISH.search(program)  # before prose a formula may stand as well
        if meant and evidence(meant) == 2 and whole:
            return meant.strip("\n")
    return None

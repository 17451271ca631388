"""A run as a person sees it: the answer on stdout, everything else on stderr.

Finished lines are only ever appended, so that nothing flickers and scrolling back shows what happened; one status line
below them is drawn again from the ticks of the stream. There is no render thread that could fight a prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO, assert_never

from rich.console import Console
from rich.text import Text

from ecoassist import events as ev
from ecoassist.types import Attempt, CellResult, Example, Outcome, Reply, Table, Verdict, Way

from . import tables, words
from .plain import one_line, plain, tolerant
from .status import StatusLine

CODE_LINES = 8
OUTPUT_LINES = 10
CELL_FILES, RUN_FILES = 4, 20
"""Saved files that are listed after a cell, and after a run."""
ASCII = str.maketrans({"✓": "ok", "✗": "no", "·": "-", "│": "|", "…": "..."})
"""Where the console cannot show our own signs. A "?" in place of a tick would be the wrong verdict."""
STATUS_STYLE = {"solved": "green", "unverified": "bold yellow", "interrupted": "yellow"}

RERUN = {
    True: "confirmed by its re-run: similar questions will use it",
    False: "dropped: its re-run did not confirm it",
    None: "left for later: its re-run was interrupted",
}


class StderrConsole(Console):
    """A console whose reader may go away: progress is then lost, the answer is not."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def stderr_console(stream: TextIO) -> Console:
    """A console for ConsoleSink. NO_COLOR, TERM and COLUMNS are respected as Rich documents it."""
    return StderrConsole(file=tolerant(stream), markup=False, highlight=False, emoji=False)


class ConsoleSink:
    """Shows every event; call `close` when the stream may have ended without Finished.

    `console`: on stderr. `out`: stdout; None where the answer goes out in another form. `verbose`: whole code, output,
    tracebacks and each step of the verdict. `header`: a line said before every question.
    `network`: the policy in force. `clock`: seconds.
    """

    def __init__(
        self,
        console: Console,
        out: TextIO | None,
        *,
        verbose: bool = False,
        header: str = "",
        network: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console, self.verbose, self.header = console, verbose, header
        self.out = tolerant(out) if out else None
        self.live = console.is_interactive and console.file.isatty()
        self.ascii = console.options.ascii_only
        self.status = StatusLine(console, clock, self.live, network)
        self._forget()

    def _forget(self) -> None:
        """What is remembered from earlier events of the same stream."""
        self._tier = ""
        self._why = ""
        self._tries = 0
        self._lines = 0
        self._rerun = False
        self._shown: str | None = None
        self._refused: Verdict | None = None
        self._attempt: Attempt | None = None
        self._examples: tuple[Example, ...] = ()

    def handle(self, event: ev.Event) -> None:  # noqa: C901, PLR0915 - one arm per event
        if not isinstance(event, ev.FLEETING):
            self.status.erase()
        match event:
            case ev.Tick():
                self.status.draw()
            case ev.TextDelta(text) | ev.Output(text):
                self.status.live_text(text)
            case ev.Started(why=why):
                self._start(why)
            case ev.Recalled(examples):
                self._examples = examples
            case ev.TierStarted(tier, model, why):
                self._open_tier(tier, model, why)
            case ev.AttemptStarted(tier, way):
                self._open_attempt(tier, way)
            case ev.Replied(reply):
                self._reply(reply)
            case ev.CellStarted(code):
                self._code(code)
            case ev.CellFinished(result):
                self._cell(result)
            case ev.AttemptFinished(attempt):
                self._attempt = attempt
                self.status.begin("checking the answer")
            case ev.Checked(step, verdict):
                if self.verbose:
                    self._say(f"  {words.judged(verdict, step)}", "dim")
            case ev.Judged(verdict):
                self._verdict(verdict)
            case ev.Stored(id):
                self._say(f"stored as solution #{id}, to be used once a re-run confirms it", "dim")
            case ev.Finished(outcome):
                self._finish(outcome)
            case ev.RerunStarted(id):
                self._rerun = True
                self.status.begin(f"re-running solution #{id} (Ctrl-C leaves it for later)")
            case ev.RerunFinished(id, green):
                self._rerun = False
                self._say(f"solution #{id} " + RERUN[green], "dim")
                self.status.begin("")
            case ev.Asked(question):  # prompted for by whoever answers
                if question.kind == "verdict":
                    self._show(question.text)
            case ev.Answered(answer):
                if answer is None:
                    self._say("(no answer)", "dim")
            case ev.Notice(text, level, drop_live):
                self._notice(text, level == "warning", drop_live)
            case other:
                assert_never(other)

    def close(self) -> None:
        """Takes the status line off the screen."""
        self.status.erase()
        self.status.begin("")

    # ── one method for each event that needs more than a line ───────────────────────────────────────────────────────

    def _start(self, why: str) -> None:
        self._forget()
        self._why = why
        if self.header:
            self._say(one_line(self.header), "bold")
        self.status.begin("starting")

    def _open_tier(self, tier: str, model: str, why: str) -> None:
        if self._refused:
            self._say(words.escalated(self._tier, self._refused, tier), "yellow")
            if self._attempt and self._attempt.answer:
                refused = one_line(self._attempt.answer.text)
                self._say(f"  its answer was: {words.shortened(refused, 200)}", "dim", one_row=True)
        begins = words.begins(why) if why == self._why and not self._tier else ""
        self._tier, self._tries, self._refused = tier, 0, None
        self._print(Text.assemble((self._own(one_line(tier)), "bold"), (self._own(_named(model) + begins), "dim")))

    def _open_attempt(self, tier: str, way: Way) -> None:
        if self._examples and way != "replay":  # a stored program is shown none
            self._say(f"  with {words.recalled(self._examples)}", "dim")
            self._examples = ()
        self._tries += 1
        if self._tries > 1:
            self._say("  another attempt, to compare", "dim")
        self.status.begin(one_line(tier))

    def _reply(self, reply: Reply) -> None:
        prose = plain(reply.text).partition("```")[0].strip()
        if self.verbose and prose:
            self._say(prose, "italic")
        if reply.finish == "length":
            self._say("! the reply was cut at its length limit", "yellow")
        self.status.begin(one_line(self._tier))

    def _code(self, code: str) -> None:
        source = plain(code).strip("\n")
        self._lines = source.count("\n") + 1
        if not self._rerun:
            self.status.begin("running its code")
        if self.verbose or (self.live and not self._rerun):
            self._listing(source)

    def _listing(self, source: str) -> None:
        from rich.syntax import Syntax  # loads pygments, which a run without a terminal never needs

        rows = source.split("\n")
        more = 0 if self.verbose or len(rows) <= CODE_LINES + 1 else len(rows) - CODE_LINES
        if not self.verbose:
            rows = [words.shortened(row, 500) for row in rows[: len(rows) - more]]
        highlighted = Syntax("", "python", theme="ansi_dark").highlight("\n".join(rows))
        highlighted.rstrip()
        for row in highlighted.split("\n", allow_blank=True):
            self._print(Text.assemble((self._own("  │ " if row else "  │"), "dim"), row), one_row=not self.verbose)
        if more:
            self._say(f"  │ … {words.count(more, 'more line')}", "dim")

    def _cell(self, result: CellResult) -> None:
        if not self._rerun:
            self.status.begin(one_line(self._tier))
        elif not self.verbose:
            return
        rows = words.output(result, None if self.verbose else OUTPUT_LINES)
        if rows:
            self._say("\n".join(f"    {row}" for row in rows), "dim", one_row=not self.verbose)
        for table in result.tables:
            self._table(table)
        if self.verbose and result.error:
            self._say(plain(result.error.traceback).strip("\n"), "dim")
        if self.verbose:
            for line in words.accesses(result.accesses):
                self._say(f"  {line}", "dim")
        else:
            closed = (a for a in result.accesses if not (a.blocked and a.host in result.opened))
            for line in words.blocked(closed):
                self._say(f"  {line}", "yellow")
        for line in words.hosts(result):
            self._say(f"  {line}", "yellow")
        lines = 0 if self.live or self.verbose else self._lines
        self._say("  " + words.cell(result, lines), "green" if result.status == "ok" else "red")
        for line in words.saved(result.files, CELL_FILES):
            self._say(f"  {line}", "dim")

    def _table(self, table: Table) -> None:
        """The text form of a display, seen as what it is."""
        rows = None if self.verbose else tables.ROWS
        if self.live:
            from rich.padding import Padding

            grid = tables.drawn(table, self.console.width - 4, rows, ascii=self.ascii)
            self.console.print(Padding(grid, (0, 0, 0, 4), expand=False))
        else:
            self._say("\n".join(f"    {line}".rstrip() for line in tables.aligned(table, rows)))
        if more := tables.more(table, rows):
            self._say(f"    … {words.count(more, 'more row')}", "dim")

    def _verdict(self, verdict: Verdict) -> None:
        if verdict.solved:
            if not self.verbose:  # else its last step was said already
                self._say(words.judged(verdict), "green")
        else:
            self._refused = verdict  # said by the escalation or by the last lines, whichever follows
        self.status.begin("")

    def _notice(self, text: str, warning: bool, drop_live: bool) -> None:
        if drop_live:
            self.status.drop_live()
        self._say(f"! {plain(text)}" if warning else plain(text), "yellow" if warning else "dim")

    def _finish(self, outcome: Outcome) -> None:
        """The answer is out, and flushed, before anything else is said. A rejected one is no answer for stdout."""
        self.status.begin("")
        style = STATUS_STYLE.get(outcome.status, "bold red")
        if outcome.answer and not (outcome.answer.text == self._shown and self._together):
            self._answer(plain(outcome.answer.text).strip("\n"), rejected=outcome.status == "unsolved")
        for line in words.saved(outcome.files, RUN_FILES):
            self._say(line)
        if remark := words.remark(outcome):
            self._say(remark, style)
        width = self.console.width if self.live else 10_000
        self._say(words.folded(words.summary(outcome), width), "dim" if outcome.status == "solved" else style)
        self._forget()

    def _answer(self, text: str, rejected: bool) -> None:
        self._gap()
        if rejected:
            self._say(f"rejected answer: {text}", "dim")
        elif self.out:
            self.out.write(text + "\n")
            self.out.flush()
        self._gap()

    def _show(self, answer: str) -> None:
        """The answer that the person is asked about; the end of the run does not say it again."""
        self._gap()
        self._say(plain(answer).strip(), "bold")
        self._gap()
        self._shown = answer

    # ── saying ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _together(self) -> bool:
        """Whether progress and answer share a terminal."""
        return self.live and self.out is not None and self.out.isatty()

    def _gap(self) -> None:
        """Sets the answer off where progress and answer share a terminal."""
        if self._together:
            self._say("")

    def _say(self, text: str, style: str = "", one_row: bool = False) -> None:
        self._print(Text(self._own(text), style), one_row)

    def _print(self, text: Text, one_row: bool = False) -> None:
        """Wraps on a terminal; elsewhere a line stays a line, whatever its length."""
        if one_row and self.live:
            self.console.print(text, no_wrap=True, overflow="crop" if self.ascii else "ellipsis")
        else:
            self.console.print(text, soft_wrap=not self.live)

    def _own(self, text: str) -> str:
        return text.translate(ASCII) if self.ascii else text


def _named(model: str) -> str:
    return f"{words.DOT}{one_line(model)}" if model else ""

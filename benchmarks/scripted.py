"""A scripted model that plays a list of cells and then answers, and the configuration that reaches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ecoassist.demo.endpoint import ChatRequest, Scripted

CONFIG = """
[[tiers]]
name = "only"
model = "scripted"
base_url = "{url}"
price = {{ input = 0.25, output = 2.0 }}
max_turns = 10
[judge]
model = "none"
"""


def playing(*cells: str) -> Callable[[ChatRequest], Scripted]:
    """Writes one cell after another, then answers with the last line that it was shown as output."""

    def reply(request: ChatRequest) -> Scripted:
        done = sum(message.role == "assistant" for message in request.messages)
        if done < len(cells):
            return Scripted(f"```python\n{cells[done]}\n```")
        shown = [line for line in request.messages[-1].text.splitlines() if line and not line.startswith(("<", "["))]
        return Scripted(f"It is {shown[-1]}.\nANSWER: {shown[-1]}")

    return reply


def write_config(folder: Path, url: str) -> dict[str, str]:
    """Writes a configuration for the scripted model; returns the variables that make ecoassist use it."""
    file = folder / "config.toml"
    file.write_text(CONFIG.format(url=url))
    return {"ECOASSIST_CONFIG": str(file), "ECOASSIST_DATA": str(folder / "data")}


SUM: Sequence[str] = ("print(sum(range(1000)))",)
"""One cell; its answer is 499500."""

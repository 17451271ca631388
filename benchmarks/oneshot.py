"""One question with an instant scripted model: the whole process of `ecoassist ask`, sandbox included.

The floor is what no such program can avoid doing one way or another, done serially: a process that imports the three
libraries, and a container that imports the kernel. Doing them side by side gets below it.
The question is judged by nobody, as in other assistants; with a judge, a re-run of the stored program follows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ecoassist.config import load
from ecoassist.demo.endpoint import Endpoint
from ecoassist.sandboxes import Sandboxes

from .common import alternately, command, milliseconds, ratio, report, seconds
from .scripted import SUM, playing, write_config

ROUNDS = 9
UNVERIFIED = 5
"""The exit code of an answer that nobody judged."""


def main() -> None:
    image = str(Sandboxes(load(), lambda text: None, ()).prepare())
    python = "/opt/venv/bin/python"
    docker = ["docker", "run", "--rm", "--network", "none", "--entrypoint", python, image, "-c", "import ipykernel"]
    with Endpoint({"scripted": playing(*SUM)}) as endpoint, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **write_config(Path(folder), endpoint.url)}

        def ask() -> None:
            words = [sys.executable, "-m", "ecoassist", "ask", "What is the sum of the numbers below 1000?"]
            done = subprocess.run(words, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            assert (done.returncode, done.stdout) == (UNVERIFIED, "It is 499500.\n"), done

        samples = alternately(
            {
                "imports": command(sys.executable, "-c", "import openai, docker, jupyter_client"),
                "container": command(*docker),
                "ecoassist ask": lambda: seconds(ask),
            },
            ROUNDS,
        )
    imports, container, ours = samples.values()
    floor = [a + b for a, b in zip(imports, container, strict=True)]
    report(
        "One-shot question, instant model, from a new process to its exit",
        [
            milliseconds("import openai, docker, jupyter_client", imports),
            milliseconds("docker run ... import ipykernel", container),
            milliseconds("ecoassist ask", ours),
            ratio("ecoassist ask / serial sum of the two", ours, floor, at_most=1.0),
        ],
    )


if __name__ == "__main__":
    main()

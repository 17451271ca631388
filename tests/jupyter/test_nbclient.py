"""nbclient runs notebooks in the sandbox: outputs, state, errors, and the network as the configuration has it."""

from __future__ import annotations

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from ecoassist.demo.emulators import Emulators
from tests.jupyter.conftest import HOST, KEY

pytestmark = pytest.mark.docker

ASK = f"""
import os, requests
key = os.environ["WEATHERAPI_KEY"]
answer = requests.get("https://{HOST}/v1/forecast.json", params={{"key": key, "q": "Paris", "days": 1}}, timeout=20)
print(answer.status_code, answer.json()["location"]["name"], key)
"""
REFUSED = """
import requests
answer = requests.get("https://example.org/", timeout=20)
print(answer.status_code, answer.reason)
"""


def test_a_notebook_runs_and_keeps_its_outputs_its_state_and_its_errors(kernel: str) -> None:
    cells = ["x = 20", "print('said'); x + 1", "1 / 0", "from IPython.display import HTML; HTML('<b>x</b>')", "x"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name=kernel, allow_errors=True, timeout=60).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert outputs[0] == []
    assert (outputs[1][0].text, outputs[1][1].data["text/plain"]) == ("said\n", "21")
    assert (outputs[2][0].output_type, outputs[2][0].ename) == ("error", "ZeroDivisionError")
    assert outputs[3][0].data["text/html"] == "<b>x</b>"
    assert outputs[4][0].data["text/plain"] == "20"
    assert notebook.metadata.language_info.name == "python"


def test_a_notebook_has_the_network_of_a_question_and_no_key(kernel: str, weather: Emulators) -> None:
    cells = [ASK, REFUSED, "import socket; socket.create_connection(('1.1.1.1', 80), 3)", "import os; os.getuid()"]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name=kernel, allow_errors=True, timeout=60).execute()
    asked, refused, straight, who = [cell.outputs[0] for cell in notebook.cells]
    status, name, shown = asked.text.split()
    assert (status, name) == ("200", "Paris")
    assert shown != KEY
    assert len(shown) == len(KEY)
    assert weather.log[HOST][-1].params["key"] == KEY
    assert refused.text.startswith("403 ")
    assert "example.org" in refused.text
    assert straight.ename == "OSError"
    assert who.data["text/plain"] == "10001"

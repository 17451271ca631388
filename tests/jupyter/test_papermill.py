"""papermill runs a notebook with parameters in the sandbox."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.docker


def test_papermill_runs_a_notebook_with_parameters(kernel: str, tmp_path: Path) -> None:
    parameters = new_code_cell("city = 'Nowhere'\nyears = 0", metadata={"tags": ["parameters"]})
    look = new_code_cell("import os\nprint(city, years + 1, os.getuid(), os.path.exists('in.ipynb'))")
    given, done = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    elsewhere = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[parameters, look], metadata=elsewhere), given)
    papermill.execute_notebook(
        given, done, {"city": "Oslo", "years": 3}, kernel_name=kernel, progress_bar=False, cwd=tmp_path
    )
    notebook = nbformat.read(done, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "Oslo 4 10001 False\n"

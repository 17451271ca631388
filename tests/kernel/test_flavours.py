from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.outbox import FolderOutbox

from .conftest import Run

CELL = """
import numpy as np, pandas as pd
import matplotlib.pyplot as plt
table = pd.DataFrame({"x": np.arange(3)})
table.to_excel("table.xlsx", index=False)
print(int(pd.read_excel("table.xlsx").x.sum()))
plt.plot([1, 2])
table
"""


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_the_data_flavour_gives_figures_tables_and_spreadsheets(
    box_settings: BoxSettings, run: Run, tmp_path: Path
) -> None:
    """The image is made here if need be."""
    settings = replace(box_settings, flavour="data")
    kernel = DockerBox(settings, print).start(outbox=FolderOutbox(tmp_path, print))
    with closing(kernel):
        result = run(kernel, CELL)
    assert (result.status, result.text.partition("\n")[0]) == ("ok", "3"), result
    assert [table.columns for table in result.tables] == [("", "x")]
    kinds = {file.kind.split("/")[-1]: Path(file.path).read_bytes() for file in result.files}
    assert kinds["png"].startswith(b"\x89PNG\r\n")
    assert [file.size for file in result.files] == [Path(file.path).stat().st_size for file in result.files]
    assert any(file.name == "table.xlsx" for file in result.files)

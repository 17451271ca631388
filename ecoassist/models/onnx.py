"""A sentence embedder of this machine: ONNX weights and a tokenizer from a folder that the person gives.

The folder is one of sentence-transformers or of the like: `tokenizer.json`, the weights under one of WEIGHTS, and where
there is one `1_Pooling/config.json`, which says how the vectors of tokens become one; layers after that are not known.
Nothing is downloaded. Needs the extra `local`. Measured with all-MiniLM-L6-v2, as it is and with weights of 8 bits:
loading takes half a second, a question some milliseconds.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecoassist import vectors
from ecoassist.errors import EnvironmentFault
from ecoassist.events import Stream, Tick

from .pump import pump

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "model_quantized.onnx")
"""In order of preference."""
TOKENIZER, POOLING = "tokenizer.json", "1_Pooling/config.json"
POOLED = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
"""How sentence-transformers named the kinds up to version 5."""
LONGEST = 256
"""Tokens of a text that are read: most of these models were trained on no more."""
BATCH = 32
NEEDED = ("numpy", "onnxruntime", "tokenizers")
REMEDY = "see [solutions.embeddings] in the configuration"


class OnnxEmbedder:
    """An Embedder. It is loaded when it is first asked; `gate`: the least similarity of questions, as for the port.

    Raises EnvironmentFault at once for a folder that lacks something, or where one of the libraries `needed` does.
    """

    def __init__(self, folder: Path, gate: float, needed: Sequence[str] = NEEDED) -> None:
        if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
            raise EnvironmentFault(
                f"{', '.join(missing)} is not installed, which local embeddings need",
                "install it: pip install 'ecoassist[local]'",
            )
        self.folder, self.gate, self.batch = folder, gate, BATCH
        self.weights = _file(folder, *WEIGHTS)
        self.tokenizer = _file(folder, TOKENIZER)
        self.name = f"{folder.resolve().name}/{self.weights.name} of {self.weights.stat().st_size} bytes"
        self._network: _Network | None = None

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        """Raises EnvironmentFault for weights or a tokenizer that cannot be used."""
        made: tuple[bytes, ...] = ()
        with closing(pump(lambda: self._work(texts))) as items:
            for item in items:
                if isinstance(item, Tick):
                    yield item
                else:
                    made = item
        return made

    def _work(self, texts: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
        """In the pump's thread."""
        try:
            if self._network is None:
                self._network = _Network(self.weights, self.tokenizer, _pooling(self.folder / POOLING))
            yield self._network.vectors(texts)
        except EnvironmentFault:
            raise
        except Exception as error:  # the libraries raise a bare one for a file that is none of theirs
            words = " ".join(str(error).split())[:200]
            raise EnvironmentFault(f"the embedder in {self.folder} cannot be used: {words}", REMEDY) from error


class _Network:
    """Weights and tokenizer in memory. `pooling`: "mean" over the tokens, or "cls", the first one."""

    def __init__(self, weights: Path, tokenizer: Path, pooling: str) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised; nothing else is said
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # idle threads leave the processor free
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(LONGEST)
        padding = self._tokenizer.padding or {}  # many files fix its length, which longer texts of a batch exceed
        self._tokenizer.enable_padding(**{**padding, "length": None})
        self._takes = {one.name for one in self._session.get_inputs()}
        self._pooling = pooling

    def vectors(self, texts: Sequence[str]) -> tuple[bytes, ...]:
        """Raises ValueError where the network gives something else than vectors."""
        import numpy

        encoded = self._tokenizer.encode_batch([*map(_plain, texts)])
        columns = {
            "input_ids": [one.ids for one in encoded],
            "attention_mask": [one.attention_mask for one in encoded],
            "token_type_ids": [one.type_ids for one in encoded],
        }
        fed = {name: numpy.array(rows, dtype="int64") for name, rows in columns.items() if name in self._takes}
        out = numpy.asarray(self._session.run(None, fed)[0], dtype="float32")
        pooled = out if out.ndim == 2 else self._pooled(out, numpy.array(columns["attention_mask"], dtype="float32"))
        if pooled.ndim != 2 or len(pooled) != len(texts):
            raise ValueError(f"the network gives {out.shape} for {len(texts)} texts")
        return tuple(vectors.packed(row.tolist()) for row in pooled)

    def _pooled(self, out: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
        """Texts x tokens x numbers -> texts x numbers."""
        if out.ndim != 3:
            return out
        if self._pooling == "cls":
            return out[:, 0]
        weighed: NDArray[Any] = (out * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True).clip(1)
        return weighed


def _plain(text: str) -> str:
    """As UTF-8 can hold it, and as long as LONGEST tokens of usual text; an empty one would have no vector."""
    return text[: 20 * LONGEST].strip().encode("utf-8", "replace").decode() or "-"


def _pooling(file: Path) -> str:
    """As sentence-transformers writes it; the mean where nothing is said. Raises EnvironmentFault for another kind."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "mean"
    except (OSError, ValueError, RecursionError) as error:
        raise EnvironmentFault(f"{file} cannot be read: {error}", REMEDY) from error
    old = [name for name, wanted in said.items() if name.startswith("pooling_mode_") and wanted is True]
    named = said.get("pooling_mode", old)
    kinds = [POOLED.get(kind, kind) for kind in ([named] if isinstance(named, str) else named)]
    if kinds == ["cls"]:
        return "cls"
    if kinds not in ([], ["mean"]):
        raise EnvironmentFault(f"{file} asks for {', '.join(kinds)}; known are the mean and the first token", REMEDY)
    return "mean"


def _file(folder: Path, *names: str) -> Path:
    """The first of `names` that is there. Raises EnvironmentFault."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise EnvironmentFault(f"there is no {' nor '.join(names)} in {folder}", REMEDY)

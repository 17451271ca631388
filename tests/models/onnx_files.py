"""A folder with a network of two words and more, written byte by byte: its vectors are those of the words.

The bytes are those of protocol buffers (https://protobuf.dev/programming-guides/encoding) with the field numbers of
onnx.proto (https://github.com/onnx/onnx), so that nothing is needed to make them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

VOCABULARY = ("[PAD]", "[UNK]", "warm", "hot", "red", "house", "is", "it")
TABLE = ((9.0, 9.0, 9.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.9, 0.1, 0.0), (0.0, 1.0, 0.0), (0.0, 0.9, 0.1)) + (
    (0.1, 0.1, 0.1),
) * 2
"""The vector of each word; that of the padding would show."""
FLOAT, INT64 = 1, 7


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def network(
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"), *, pooled: bool = False
) -> bytes:
    """Looks up each token's vector; `pooled`: gives their mean, padding and all."""
    nodes = [_node("Gather", ("table", "input_ids"), "tokens")]
    if pooled:
        axes = field(1, "axes") + field(8, 1) + field(20, 7)  # the ints of an attribute
        flat = field(1, "keepdims") + field(3, 0) + field(20, 2)
        nodes.append(_node("ReduceMean", ("tokens",), "sentence", axes, flat))
    size = len(TABLE[0])
    numbers = b"".join(struct.pack("<3f", *row) for row in TABLE)
    table = field(1, len(TABLE)) + field(1, size) + field(2, FLOAT) + field(8, "table") + field(9, numbers)
    out = _value("sentence", FLOAT, "texts", size) if pooled else _value("tokens", FLOAT, "texts", "places", size)
    graph = b"".join(field(1, node) for node in nodes) + field(2, "words") + field(5, table)
    graph += b"".join(field(11, _value(name, INT64, "texts", "places")) for name in inputs) + field(12, out)
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


def _node(kind: str, inputs: Sequence[str], output: str, *attributes: bytes) -> bytes:
    named = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    return named + b"".join(field(5, attribute) for attribute in attributes)


def _value(name: str, kind: int, *dimensions: str | int) -> bytes:
    shape = b"".join(field(1, field(2, one) if isinstance(one, str) else field(1, one)) for one in dimensions)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def tokenizer() -> str:
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": None,
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
        }
    )


def write(folder: Path, weights: bytes | None = None, pooling: str = "", name: str = "model.onnx") -> Path:
    """The folder, with everything that belongs into it."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(network() if weights is None else weights)
    (folder / "tokenizer.json").write_text(tokenizer())
    if pooling:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(pooling)
    return folder

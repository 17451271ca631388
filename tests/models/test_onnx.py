"""An embedder of this machine, with a network of eight words that the tests write themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ecoassist.entries import Solution
from ecoassist.errors import EnvironmentFault
from ecoassist.events import Event, Stream, Tick
from ecoassist.memory import Limits, Meanings, recall
from ecoassist.models import onnx
from ecoassist.models.onnx import OnnxEmbedder
from ecoassist.play import play
from ecoassist.testing import MemoryStore
from ecoassist.types import Answer, Task
from ecoassist.vectors import cosines, packed

from .onnx_files import network, write

Run: TypeAlias = Callable[[Stream[Any]], tuple[Any, list[Event]]]

for needed in onnx.NEEDED:
    pytest.importorskip(needed)


def embedded(run: Run, folder: Path, *texts: str) -> Sequence[bytes]:
    made, _ = run(OnnxEmbedder(folder, 0.4).embed(texts))
    assert isinstance(made, tuple)
    return made


def test_a_text_has_the_mean_of_its_words_whatever_it_is_beside(run: Run, tmp_path: Path) -> None:
    write(tmp_path)
    alone = embedded(run, tmp_path, "warm red")
    beside = embedded(run, tmp_path, "Warm red", "is it a warm red house is it")
    assert alone[0] == beside[0] == packed([1.0, 1.0, 0.0])


def test_words_of_one_meaning_are_near_and_others_are_not(run: Run, tmp_path: Path) -> None:
    warm, hot, red = embedded(run, write(tmp_path), "is it warm", "is it hot", "red house")
    near, far = cosines(warm, [hot, red])
    assert near > 0.9 > 0.3 > far


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, [1.0, 0.0, 0.0]),
        ({"pooling_mode": "cls", "include_prompt": True}, [1.0, 0.0, 0.0]),
        ({"pooling_mode": ["cls"]}, [1.0, 0.0, 0.0]),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, [1.0, 1.0, 0.0]),
        ({"pooling_mode": "mean"}, [1.0, 1.0, 0.0]),
    ],
)
def test_the_first_token_stands_for_all_where_the_folder_says_so(
    run: Run, tmp_path: Path, said: dict[str, object], expected: list[float]
) -> None:
    assert embedded(run, write(tmp_path, pooling=json.dumps(said)), "warm red") == (packed(expected),)


def test_a_network_that_gives_one_vector_for_a_text_is_taken_at_its_word(run: Run, tmp_path: Path) -> None:
    write(tmp_path, network(pooled=True))
    assert embedded(run, tmp_path, "warm red") == (packed([1.0, 1.0, 0.0]),)


def test_a_network_gets_the_columns_that_it_takes(run: Run, tmp_path: Path) -> None:
    write(tmp_path, network(("input_ids",)), name="onnx/model_quantized.onnx")
    assert embedded(run, tmp_path, "warm") == (packed([1.0, 0.0, 0.0]),)


def test_a_text_of_a_million_words_is_cut_and_half_a_character_is_no_trouble(run: Run, tmp_path: Path) -> None:
    write(tmp_path)
    assert embedded(run, tmp_path, "warm " * 1_000_000, "warm \ud800")[0] == packed([1.0, 0.0, 0.0])


def test_the_length_that_a_tokenizer_pads_and_cuts_to_is_not_that_of_a_batch(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path) / "tokenizer.json"
    said = json.loads(file.read_text())
    said["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0}
    said["padding"] = {"strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": None}
    said["padding"] |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}  # as all-MiniLM-L6-v2 has it, with 128
    file.write_text(json.dumps(said))
    short, long = embedded(run, tmp_path, "warm", "red " * 5 + "warm " * 5)
    assert (short, long) == (packed([1.0, 0.0, 0.0]), packed([1.0, 1.0, 0.0]))


def test_an_empty_text_takes_nothing_from_the_others(run: Run, tmp_path: Path) -> None:
    warm, *nothing = embedded(run, write(tmp_path), "warm", "", " \n ")
    assert warm == packed([1.0, 0.0, 0.0])
    assert nothing == [packed([0.0, 0.0, 1.0])] * 2  # that of a word nobody knows


def test_it_works_in_a_thread_and_ticks(run: Run, tmp_path: Path) -> None:
    _, events = run(OnnxEmbedder(write(tmp_path), 0.4).embed(["warm"]))
    assert events
    assert all(isinstance(event, Tick) for event in events)


def test_vectors_of_other_weights_have_another_name(tmp_path: Path) -> None:
    one = OnnxEmbedder(write(tmp_path / "a"), 0.4).name
    assert one == OnnxEmbedder(tmp_path / "a", 0.5).name
    write(tmp_path / "a", network(("input_ids",)))
    assert one != OnnxEmbedder(tmp_path / "a", 0.4).name
    assert one != OnnxEmbedder(write(tmp_path / "b"), 0.4).name


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.onnx", b"", "cannot be used"),
        ("model.onnx", b"\x00\xff" * 500, "cannot be used"),
        ("model.onnx", network(("input_ids", "pixel_values")), "cannot be used"),
        ("tokenizer.json", b"{}", "cannot be used"),
        ("tokenizer.json", b"\xff", "cannot be used"),
        ("1_Pooling/config.json", b"{", "cannot be read"),
        ("1_Pooling/config.json", b"\xff", "cannot be read"),
        ("1_Pooling/config.json", b"[]", "cannot be used"),
        ("1_Pooling/config.json", b'{"pooling_mode_max_tokens": true}', "pooling_mode_max_tokens"),
        ("1_Pooling/config.json", b'{"pooling_mode": "lasttoken"}', "lasttoken"),
        ("1_Pooling/config.json", b'{"pooling_mode": ["cls", "mean"]}', "cls, mean"),
        ("1_Pooling/config.json", b'{"pooling_mode": 5}', "cannot be used"),
    ],
)
def test_a_file_that_is_something_else_is_said_to_be(
    run: Run, tmp_path: Path, file: str, content: bytes, said: str
) -> None:
    write(tmp_path, pooling="{}")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(EnvironmentFault, match=said) as caught:
        embedded(run, tmp_path, "warm")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gone", ["model.onnx", "tokenizer.json"])
def test_a_folder_that_lacks_something_is_refused_at_once(tmp_path: Path, gone: str) -> None:
    write(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(EnvironmentFault, match=gone):
        OnnxEmbedder(tmp_path, 0.4)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="onnxruntime_of_nobody is not installed") as caught:
        OnnxEmbedder(write(tmp_path), 0.4, ("numpy", "onnxruntime_of_nobody"))
    assert "ecoassist[local]" in caught.value.remedy


def test_a_solution_is_found_by_another_word_of_the_same_meaning(tmp_path: Path) -> None:
    store = MemoryStore()
    for query in ("warm", "red house"):
        store.settle(store.keep(Solution(query, f"print('{query}')", Answer(""), "cheap")), True)
    assert store.similar("hot") == ()
    meanings = Meanings(OnnxEmbedder(write(tmp_path), 0.4))
    meanings.base = 0.0  # with eight words nothing can be said of others
    found = play(recall(store, Task("hot"), Limits(), meanings), [])
    assert [example.query for example in found.examples] == ["warm"]

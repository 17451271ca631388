"""An API with 300 operations: the prompt shows some, and code finds the others by the call that the prompt gives."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ecoassist.cards.tokens import count_tokens
from ecoassist.demo.endpoint import ChatRequest, Scripted
from tests.cards.recall import OPERATIONS
from tests.e2e.conftest import LOCAL, Command, Serve, prompt, python

SHOP = "\n".join(
    [
        "[judge]",
        'model = "none"',
        "[network]",
        "card_tokens = 400",
        "[apis.shop]",
        'host = "shop.example"',
        'card = "The online shop."',
        *(
            f'[[apis.shop.operations]]\nmethod = "{one.method}"\npath = "{one.path}"\nsummary = "{one.summary}"'
            for one in OPERATIONS
        ),
    ]
)


@pytest.mark.parametrize("box", [(LOCAL,), pytest.param((), marks=pytest.mark.docker)], ids=["local", "container"])
def test_an_operation_that_is_not_shown_is_found_by_the_call_of_the_prompt(
    box: tuple[str, ...], run: Command, serve: Serve
) -> None:
    assert len(OPERATIONS) == 300

    def model(request: ChatRequest) -> Scripted:
        call = re.search(r"Search it: (print\(.*\))", prompt(request))
        assert call, prompt(request)
        turn = sum(message.role == "assistant" for message in request.messages)
        if turn == 0:
            return python("import os; os._exit(1)")  # what can be looked up is there again after a restart
        if turn == 1:
            return python(call[1].replace("WORD", "/parcels/{id}/ev") + "\nimport glob; print(glob.glob('*'))")
        found = re.findall(r"^ ?(shop: .*)$", request.messages[-1].text, re.M)
        return Scripted(f"ANSWER: {json.dumps([*found, '[]' in request.messages[-1].text])}")

    endpoint = serve({"only": model}, more=SHOP)
    body: dict[str, Any] = json.loads(run("ask", *box, "What came of the box I sent to my aunt?", "--json").out)
    assert body["value"] == ["shop: GET /parcels/{id}/events # History of one of the parcels", True]
    first = prompt(endpoint.log[0].request)
    section = first[first.index("APIs you may call") : first.index("Now: ")]
    assert count_tokens(section) <= 400
    assert re.search(r"- shop \(https://shop\.example; \d+ of 300 operations\)", section)
    assert "/parcels/{id}/events" not in section

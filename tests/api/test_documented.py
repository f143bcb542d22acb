"""The examples of docs/api.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()
_BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in _BLOCKS for line in block.replace("\\\n", " ").splitlines() if line]


def test_the_page_has_examples():
    assert any("PATCH" in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_works_as_it_stands(client_of, world, command):
    program, *words = shlex.split(command)
    assert program == "curl"
    method, headers, body, address = "GET", {}, None, ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value.replace("$KEY", "key-analyst").replace("$ADMIN_KEY", "key-admin")
            case "-d":
                body = words.pop(0).replace("RULE", "web-sqli")
            case word:
                address = word.replace("http://127.0.0.1:8080", "").replace("/ID", f"/{world.alerts['hungyen']}")
    answer = client_of().request(method, address, headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert ('"examined":25' if address.endswith("/exceptions/preview") else "203.0.113.7") in answer.text

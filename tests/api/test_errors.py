"""What goes wrong, as people and programs see it."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from servers import both_stores

from api.errors import STATUS
from soc import errors as tree
from soc.errors import SocError, StoreUnavailable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis


JSON = {"content-type": "application/json"}


def test_every_error_of_the_tree_has_a_status_or_is_our_own_fault():
    kinds = {kind for kind in vars(tree).values() if isinstance(kind, type) and issubclass(kind, SocError)}
    assert kinds - set(STATUS) == {SocError, tree.ConfigError}


def test_problems_have_one_shape(client_of):
    answer = client_of("viewer").get("/api/v1/alerts/000000000000000000000000")
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body == {
        "type": "urn:govsoc:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no alert 000000000000000000000000",
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/api/v1/nothing", {}, 404),
        ("PUT", "/api/v1/alerts", {}, 405),
        ("GET", "/api/v1/alerts?limit=201", {}, 422),
        ("GET", "/api/v1/alerts?since=yesterday", {}, 422),
        ("GET", "/api/v1/events?q=" + "x" * 2001, {}, 422),
        ("GET", "/api/v1/alerts/..%2f..", {}, 404),
        ("GET", "/api/v1/alerts/ffffffffffffffffffffffff", {}, 404),
        ("POST", "/api/v1/session", {"content": b"{", "headers": JSON}, 422),
        ("POST", "/api/v1/session", {"content": b"[" * 60_000, "headers": JSON}, 400),
        ("POST", "/api/v1/session", {"content": b'{"account": "\\ud800", "password": "x"}', "headers": JSON}, 422),
        ("POST", "/api/v1/session", {"content": b"x" * 70_000}, 413),
        ("POST", "/api/v1/session", {"content": iter([b"x" * 40_000] * 2)}, 413),
    ],
)
def test_bad_requests_are_problems_too(client_of, method, path, sent, status):
    answer = client_of("analyst").request(method, path, **sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_values_are_not_repeated(client_of):
    answer = client_of().post("/api/v1/session", json={"account": "a", "password": 17, "hint": "my-secret"})
    assert answer.status_code == 422
    assert "my-secret" not in answer.text


def test_people_get_a_page(client_of):
    answer = client_of("viewer").get("/alerts/000000000000000000000000", headers={"accept-language": "en"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "not yours to see" in answer.text


def break_store(world, monkeypatch, error):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(type(world.stores.alerts), "list", broken)


def test_a_store_that_is_down_is_503(client_of, world, monkeypatch):
    break_store(world, monkeypatch, StoreUnavailable("detector.db: disk I/O error"))
    answer = client_of("viewer").get("/api/v1/alerts")
    assert (answer.status_code, answer.json()["detail"]) == (503, "detector.db: disk I/O error")


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/alerts"])
def test_a_bug_shows_a_request_id_and_no_stack_trace(client_of, world, monkeypatch, capsys, path):
    break_store(world, monkeypatch, RuntimeError("secret inner state"))
    answer = client_of("viewer").get(path)
    assert answer.status_code == 500
    assert "secret inner state" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["x-request-id"] in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/alerts", "/static/console.css", "/livez", "/nothing"])
def test_security_headers_are_everywhere(client_of, path):
    headers = client_of().get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


@both_stores
@pytest.mark.filterwarnings("ignore")
@pytest.mark.long
def test_a_fuzzer_finds_no_5xx_and_no_answer_against_the_schema(app):
    """Every operation of OpenAPI, good and bad input, as an analyst. Bounded: a few seconds."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    checks = [schemathesis.checks.not_a_server_error, schemathesis.specs.openapi.checks.response_schema_conformance]
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/stream") or operation.path == "/api/v1/session":
            continue  # never ends; and signing in is slow on purpose

        @settings(
            max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case):
            response = case.call(headers={"Authorization": "Bearer key-analyst"})
            case.validate_response(response, checks=checks)

        given(operation.as_strategy())(ask)()
        asked.add(operation.label)
    assert len(asked) >= 15

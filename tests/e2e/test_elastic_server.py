"""The server that the tests run on: what the product needs of a real Elasticsearch is there, with TLS, roles and API keys."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request

import pytest
from servers import eventually

pytestmark = pytest.mark.server


def test_a_plain_server_is_emptied_between_tests(elastic):
    elastic.request("PUT", "/govsoc-events-web-x-2026.11/_create/1?refresh", {"a": 1})
    elastic.request("PUT", "/_component_template/govsoc-x", {"template": {}})
    elastic.request("PUT", "/_index_template/govsoc-x", {"index_patterns": ["govsoc-x-*"], "composed_of": ["govsoc-x"]})
    elastic.request("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})


def test_and_nothing_is_left(elastic):
    assert elastic.request("GET", "/govsoc-*/_count")["count"] == 0
    assert elastic.request("GET", "/_index_template")["index_templates"] == []
    assert elastic.request("GET", "/_cluster/settings") == {"persistent": {}, "transient": {}}


def test_the_secured_server_verifies_and_stores_roles_and_keys(secured_server):
    def key_allows(key: str, path: str) -> int:
        request = urllib.request.Request(f"{secured_server.url}{path}", headers={"Authorization": f"ApiKey {key}"})
        context = ssl.create_default_context(cafile=str(secured_server.ca))
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{secured_server.url}/_cluster/health", timeout=10)

    def make_role() -> bool:  # the security index takes some seconds to be there
        try:
            rights = {"indices": [{"names": ["govsoc-a-*"], "privileges": ["read", "view_index_metadata"]}]}
            return secured_server.request("PUT", "/_security/role/reader-a", rights)["role"]["created"]
        except urllib.error.HTTPError as error:
            if error.code in (500, 503):
                return False
            raise

    assert eventually(make_role, 30, "a role is stored")
    secured_server.request("PUT", "/govsoc-a-1/_create/1", {"a": 1})
    secured_server.request("PUT", "/govsoc-b-1/_create/1", {"a": 1})
    rights = {"r": {"indices": [{"names": ["govsoc-a-*"], "privileges": ["read"]}]}}
    key = secured_server.request("POST", "/_security/api_key", {"name": "k", "role_descriptors": rights})
    assert key_allows(key["encoded"], "/govsoc-a-1/_doc/1") == 200
    assert key_allows(key["encoded"], "/govsoc-b-1/_doc/1") == 403
    secured_server.request("DELETE", "/_security/api_key", {"ids": [key["id"]]})
    assert key_allows(key["encoded"], "/govsoc-a-1/_doc/1") == 401

"""The server that the tests run on: what the product needs of a real Elasticsearch is there, with TLS, roles and API keys."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request

import pytest
from servers import eventually

from deploy.elasticsearch.cluster import Cluster
from deploy.elasticsearch.place import StartError, account

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
            with urllib.request.urlopen(request, timeout=300, context=context) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{secured_server.url}/_cluster/health", timeout=300)

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


def test_what_we_write_is_in_folders_that_the_server_may_not_write_to(secured_server):
    node = secured_server.nodes[0].folder
    for folder in (secured_server.folder, node, node / "config", secured_server.folder / "certs"):
        assert folder.stat().st_uid == os.geteuid()
        assert folder.stat().st_mode & 0o022 == 0
    server = account()
    for theirs in (
        node / "data",
        node / "tmp",
        node / "config/elasticsearch.keystore",
        node / "config/certs/node/node.key",
    ):
        assert theirs.stat().st_uid == (server.pw_uid if server else os.geteuid())
        assert theirs.stat().st_mode & 0o077 == 0, "nobody else reads keys and data"
    assert not (secured_server.folder / "certs/ca/ca.key").exists()


def test_a_process_that_is_not_of_the_server_is_not_killed_for_it(elastic_server):
    file = elastic_server.nodes[0].folder / "tmp/pid"
    right = file.read_text()
    file.write_text(str(os.getpid()))
    with pytest.raises(ProcessLookupError):
        elastic_server.nodes[0].kill()
    file.write_text(right)
    assert elastic_server.nodes[0].running


@pytest.mark.parametrize("folder", ["writable", "link"])
def test_a_folder_that_others_may_write_to_is_refused(elastic_server, tmp_path, folder):
    (tmp_path / "writable").mkdir()
    (tmp_path / "writable").chmod(0o777)
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(StartError, match="is not ours alone"):
        Cluster(tmp_path / folder).start()
    assert list((tmp_path / folder).iterdir()) == []

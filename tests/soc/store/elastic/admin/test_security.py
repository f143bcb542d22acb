"""Roles, keys and TLS on a server that asks who we are; and what people read when it does not let us in."""

from __future__ import annotations

import logging
import select
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from elastic import empty
from indexed import IndexedLog
from servers import need
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import Busy, SocError, StoreUnavailable
from soc.model.account import Account, Role
from soc.model.alert import Decision, Status
from soc.model.event import Stored
from soc.model.finding import Finding, alert_id, finding_id
from soc.model.incident import Incident, IncidentDecision
from soc.model.org import EVERYTHING, Scope
from soc.model.rule import RuleDoc
from soc.model.silence import Outage, outage_id
from soc.model.source import Source, SourceHealth, Transport
from soc.query.ast import Everything
from soc.service.elastic import prepare
from soc.settings import load
from soc.store.base import AuditEntry
from soc.store.elastic import open as opened
from soc.store.elastic.admin import setup
from soc.store.elastic.admin.check import faults
from soc.store.elastic.client import connect
from soc.store.elastic.documents import bulk
from soc.store.elastic.events.bulk import BulkWriter
from soc.store.elastic.events.retry import retry
from soc.store.elastic.explain import NotAllowed

pytestmark = pytest.mark.server

NOW = 1_772_452_800_000
WEB = "govsoc-events-web-h42-2026.03"
_JSON = {"accept": "application/json"}
AUDIT = "govsoc-audit-2026.03"


@pytest.fixture
def secured(secured, monkeypatch, tmp_path):
    """The server without anything of ours, and the environment of a command line that knows it and its administrator."""
    monkeypatch.setenv("SOC_STORE__URL", secured.url)
    monkeypatch.setenv("SOC_STORE__CA_FILE", str(secured.ca))
    monkeypatch.setenv("SOC_SETUP_PASSWORD", secured.password)
    monkeypatch.setenv("SOC_DATA_DIR", str(tmp_path))
    return secured


@pytest.fixture
def client(secured):
    """Clients of the server, by default the superuser's; closed at the end."""
    opened = []

    def client(**credentials):
        credentials = credentials or {"user": "elastic", "password": secured.password}
        opened.append(connect(secured.url, ca_file=secured.ca, **credentials))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


def set_up(*arguments):
    """Runs the command; its lines and the keys that it showed."""
    result = CliRunner().invoke(build("setup"), ["setup", "elasticsearch", "--user", "elastic", *arguments])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    return lines, dict(line.split("\t") for line in lines if "\t" in line)


class TestSetup:
    def test_a_second_time_changes_nothing_and_says_so(self, secured):
        lines, keys = set_up("--org", "H42", "--org", "H30.01")
        assert {"+ index template govsoc-events", "+ role govsoc-writer", "+ key govsoc-reader-h30"} <= set(lines)
        assert keys.keys() == {"govsoc-writer", "govsoc-admin", "govsoc-reader-h42", "govsoc-reader-h30"}
        before = secured.request("GET", "/_security/role"), secured.request("GET", "/_index_template/govsoc-*")
        assert set_up("--org", "H42", "--org", "H30") == (["nothing to do: everything is there"], {})
        assert (
            secured.request("GET", "/_security/role"),
            secured.request("GET", "/_index_template/govsoc-*"),
        ) == before

    def test_a_role_that_somebody_widened_is_put_right(self, secured, client):
        set_up()
        client().security.put_role(name="govsoc-writer", cluster=["all"], indices=[])
        assert set_up()[0] == ["+ role govsoc-writer"]

    def test_provinces_that_have_something_in_the_store_get_a_reader(self, client):
        client().create(index="govsoc-events-web-h9-2026.03", id="1", document={})
        assert "+ role govsoc-reader-h9" in set_up()[0]

    def test_keys_are_renewed_while_the_old_ones_work_then_these_are_revoked(self, client):
        old = set_up()[1]["govsoc-writer"]
        new = set_up("--renew-keys")[1]["govsoc-writer"]
        assert new != old
        for key in (old, new):
            client(api_key=key).cluster.health()
        assert len(set_up("--revoke-old-keys")[0]) == 2
        client(api_key=new).cluster.health()
        with pytest.raises(StoreUnavailable, match=r"API key: it has been revoked.*--renew-keys"):
            client(api_key=old).cluster.health()

    def test_the_writer_can_do_all_that_the_processes_do_and_no_more(self, client, make_event, tmp_path):
        writer = client(api_key=set_up()[1]["govsoc-writer"])
        event = make_event(NOW, org="H42")
        log = IndexedLog(tmp_path / "events", writer)
        log.append([event])
        stores = opened.open_stores(writer)
        assert stores.events.search(Everything(), EVERYTHING).items == (event,)
        client().create(index="govsoc-events-quarantine-h42", id=event.id, document={"event.id": event.id})
        again = BulkWriter(writer, "month", clock=lambda: NOW)
        assert retry(writer, again, lambda _: [Stored.of(event)], lambda *_: None).indexed == 1
        detections = opened.open_detections(writer, tmp_path)
        rule = RuleDoc("r", "h", "Rule", "high", "title: Rule")
        alert = alert_id("r", "H42", "x", "2026-03-02")
        found = Finding(finding_id(alert, event.id), alert, "r", "h", "H42", "user.name", "x", NOW, event.id, {})
        detections.publish([rule], [])
        assert detections.commit([found], {"h": rule}, {}, {}, None, NOW) == [alert]
        stores.triage.change(alert, Decision(status=Status.ACKNOWLEDGED), by="an", now=NOW)
        assert stores.alerts.get(alert, EVERYTHING).triage.status is Status.ACKNOWLEDGED
        stores.incidents.create(Incident("1" * 24, "x", ("H42",), NOW, "an", NOW, "an"), by="an")
        stores.incidents.change("1" * 24, IncidentDecision(title="y"), by="an", now=NOW)
        assert [incident.title for incident in stores.incidents.list(EVERYTHING).items] == ["y"]
        stores.sources.add(Source("s", "s", "H42", "nginx.access", Transport.PUSH), "hash", by="an")
        stores.health.report([SourceHealth("s", NOW, NOW, 1, 0, 0.0, None)])
        outage = Outage(outage_id("s", NOW), "s", "H42", NOW, NOW)
        assert stores.outages.open(outage)
        assert stores.outages.clear(outage.id, NOW)
        stores.accounts.put(Account("an", Role.ANALYST, EVERYTHING), "hash", by="an")
        stores.audit.record(AuditEntry(NOW, "an", "x", "y", "z"))
        assert setup.missing(client()) == setup.missing(writer) == []
        assert [fault.found for fault in faults(writer, NOW)] == []
        kept = stores.audit.list(limit=100).items
        audited = client().search(index=AUDIT, query={"term": {"action": "x"}})["hits"]["hits"][0]["_id"]
        for forbidden in (
            lambda: writer.indices.delete(index=WEB),
            lambda: writer.create(index="other", id="1", document={}),
            lambda: writer.search(index=".security"),
            lambda: writer.indices.put_index_template(name="govsoc-events", index_patterns=["govsoc-events-*"]),
            lambda: writer.security.put_user(username="x", password="long-enough", roles=[]),
            lambda: writer.delete(index=AUDIT, id=audited),
            lambda: writer.index(index=AUDIT, id=audited, document={}),
            lambda: writer.update(index=AUDIT, id=audited, doc={"by": "nobody"}),
            lambda: bulk(writer, [{"delete": {"_index": AUDIT, "_id": audited}}]),
            lambda: bulk(writer, [{"index": {"_index": AUDIT, "_id": audited}}, {}]),
        ):
            with pytest.raises(NotAllowed, match="does not let us"):
                forbidden()
        assert stores.audit.list(limit=100).items == kept
        detections.close()
        log.close()

    def test_a_reader_sees_its_province_and_no_other(self, client, make_event, tmp_path):
        keys = set_up("--org", "H42", "--org", "H4")[1]
        log = IndexedLog(tmp_path / "events", client())
        log.append([make_event(NOW, str(n), org) for n, org in enumerate(["H42", "H42.01", "H4", "H30"])])
        log.append([make_event(0, str(n), org) for n, org in enumerate(["H42", "H4"])])
        reader = client(api_key=keys["govsoc-reader-h42"])
        seen = opened.open_stores(reader).events.search(Everything(), EVERYTHING).items
        assert sorted(event.org for event in seen) == ["H42", "H42", "H42.01"]
        assert opened.open_stores(reader).events.search(Everything(), Scope(frozenset({"H4"}))).items == ()
        for forbidden in (
            lambda: reader.search(index="govsoc-events-web-h4-2026.03"),
            lambda: reader.search(index="govsoc-incidents"),
            lambda: reader.get(index="govsoc-accounts", id="x"),
            lambda: reader.index(index=WEB, document={}),
            lambda: reader.indices.delete(index=WEB),
            lambda: reader.perform_request("GET", "/_tasks", headers=_JSON),
            lambda: reader.perform_request("GET", "/_tasks?actions=*search*&detailed", headers=_JSON),
            lambda: reader.cluster.state(),
            lambda: reader.cluster.state(metric="metadata", index="govsoc-*"),
            lambda: reader.cluster.health(level="indices"),
            lambda: reader.cluster.stats(),
            lambda: reader.nodes.stats(),
            lambda: reader.cat.indices(),
            lambda: reader.cat.indices(index="govsoc-*"),
            lambda: reader.cat.shards(),
        ):
            with pytest.raises(NotAllowed):
                forbidden()
        own = {*reader.indices.get(index="*"), *reader.indices.get_mapping(), *reader.indices.get_settings(index="*")}
        own |= {index["name"] for index in reader.indices.resolve_index(name="*")["indices"]}
        own |= {*reader.indices.get_alias(), *reader.field_caps(index="*", fields="@timestamp")["indices"]}
        assert own == {WEB, "govsoc-events-quarantine-h42"}
        log.close()

    def test_the_admin_deletes_what_is_old_and_nothing_of_others(self, secured, client, monkeypatch):
        admin_key = set_up()[1]["govsoc-admin"]
        superuser = client()
        for index in ("govsoc-events-web-h42-2020.01", "govsoc-events-web-h42-2099.01", "theirs-2020.01"):
            superuser.create(index=index, id="1", document={}, refresh=True)
        monkeypatch.setenv("SOC_STORE__API_KEY", admin_key)
        run = lambda *more: CliRunner().invoke(build("retention"), ["retention", *more])  # noqa: E731
        assert (
            run("--dry-run")
            .stdout.splitlines()[0]
            .startswith("would delete govsoc-events-web-h42-2020.01: 1 documents")
        )
        assert superuser.indices.exists(index="govsoc-events-web-h42-2020.01")
        assert "deleted govsoc-events-web-h42-2020.01" in run().stdout
        assert run().stdout.startswith("1 indices")
        assert not superuser.indices.exists(index="govsoc-events-web-h42-2020.01")
        assert superuser.indices.exists(index="govsoc-events-web-h42-2099.01")
        with pytest.raises(NotAllowed):
            client(api_key=admin_key).indices.delete(index="theirs-2020.01")
        superuser.indices.delete(index="theirs-2020.01")


class TestDoctor:
    def test_what_is_missing_is_said(self, client):
        keys = set_up("--org", "H42")[1]
        superuser = client()
        assert [fault.found for fault in faults(superuser, NOW)] == ["the settings hold the superuser"]
        reader = [fault for fault in faults(client(api_key=keys["govsoc-reader-h42"]), NOW) if fault.bad]
        assert len(reader) == 1
        assert "lacks privileges" in reader[0].found
        assert "write" in reader[0].found
        in_a_year = int(time.time() * 1000) + 364 * 86_400_000
        assert [f.found for f in faults(client(api_key=keys["govsoc-writer"]), in_a_year)] == [
            "the API key expires in 0 days"
        ]

    def test_the_writer_is_told_before_the_first_start_whether_the_cluster_is_set_up(
        self, secured, client, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("SOC_DATA_DIR", str(tmp_path / "later"))
        monkeypatch.setenv("SOC_STORE__API_KEY", set_up()[1]["govsoc-writer"])
        settings = load()

        def store():
            result = CliRunner().invoke(build("doctor"), ["doctor", "--json"])
            checks = [orjson.loads(line) for line in result.stdout.splitlines()]
            assert checks[0]["name"] == "data"
            assert checks[0]["found"].endswith("later does not exist")
            return [(check["state"], check["found"], check["advice"]) for check in checks[1:]]

        assert store() == [("ok", f"{secured.url} answers, and has what govsoc needs", "")]
        prepare(settings)
        superuser = client()
        older = superuser.indices.get_index_template(name="govsoc-audit")["index_templates"][0]["index_template"]
        older["_meta"]["digest"] = "older"
        secured.request("PUT", "/_index_template/govsoc-audit", older)
        lacks = f"{secured.url} answers, but lacks 1 things, such as index template govsoc-audit"
        assert store() == [("bad", lacks, "soc setup elasticsearch")]
        prepare(settings)  # an older one will do until the setup has run again
        superuser.indices.delete_index_template(name="govsoc-audit")
        assert store() == [("bad", lacks, "soc setup elasticsearch")]
        with pytest.raises(StoreUnavailable, match=r"lacks index template govsoc-audit, .*soc setup elasticsearch"):
            prepare(settings)
        assert set_up()[0] == ["+ index template govsoc-audit"]
        assert store()[0][0] == "ok"
        empty(secured)
        assert "things, such as component template govsoc-events-fields" in store()[0][1]
        with pytest.raises(StoreUnavailable, match="lacks component template govsoc-events-fields"):
            prepare(settings)

    def test_a_block_and_an_index_that_nobody_holds_are_said(self, client):
        superuser = client()
        setup.install(superuser)
        superuser.create(index=WEB, id="1", document={})
        superuser.indices.put_settings(index=WEB, settings={"index.blocks.read_only_allow_delete": True})
        superuser.indices.create(
            index="govsoc-x", settings={"index.routing.allocation.require._name": "nobody"}, wait_for_active_shards="0"
        )
        found = [fault.found for fault in faults(superuser, NOW) if fault.bad]
        assert len(found) == 2
        assert "red" in found[0]
        assert f"read-only, such as {WEB}" in found[1]

    def test_an_index_that_was_there_before_the_templates_is_said_and_left_alone(self, client):
        superuser = client()
        superuser.create(index=WEB, id="1", document={"message": "x"})
        setup.install(superuser)
        assert setup.missing(superuser) == []
        found = [fault.found for fault in faults(superuser, NOW) if fault.bad]
        assert len(found) == 1
        assert f"before our templates, such as {WEB}" in found[0]


class TestRefusals:
    """Each failure is one line that says what to do, and no secret is in it or in any log."""

    @pytest.fixture(autouse=True)
    def logged(self, caplog):
        caplog.set_level(logging.DEBUG)
        return caplog

    def refused(self, secured, caplog, url=None, ca_file="", **credentials):
        ca_file = secured.ca if ca_file == "" else ca_file
        with connect(url or secured.url, ca_file=ca_file, **credentials) as client, pytest.raises(SocError) as error:
            client.cluster.health()
        text = str(error.value)
        assert "\n" not in text
        assert len(text) < 400
        said = text + caplog.text + repr(error.value.__cause__) + repr(client)
        for secret in (secured.password, *(str(value) for value in credentials.values())):
            assert not secret or secret not in said
        assert error.value.__cause__ is None
        return error.value

    def test_an_authority_that_we_do_not_trust(self, secured, caplog, tmp_path):
        assert "set store.ca_file" in str(self.refused(secured, caplog, ca_file=None))
        other = tmp_path / "other.crt"
        need("openssl")
        made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=other -keyout /dev/null -out {other}"
        subprocess.run(made.split(), check=True, capture_output=True)
        assert "set store.ca_file" in str(self.refused(secured, caplog, ca_file=other))

    def test_a_certificate_for_another_name(self, secured, caplog):
        with _forwarder(secured.nodes[0].http_port, "127.0.0.2") as port:
            assert "for another name" in str(self.refused(secured, caplog, f"https://127.0.0.2:{port}"))

    def test_plain_http_to_a_server_with_tls_and_tls_to_one_without(self, secured, caplog):
        url = secured.url.replace("https:", "http:")
        assert "write https://" in str(self.refused(secured, caplog, url, None))
        with _plain_server(lambda handler: handler.send_error(400)) as port:
            assert "does not speak TLS: write http://" in str(
                self.refused(secured, caplog, f"https://127.0.0.1:{port}")
            )

    def test_a_wrong_password_a_missing_one_and_an_unknown_user(self, secured, caplog):
        for user in ("elastic", "nobody"):
            error = self.refused(secured, caplog, user=user, password="Wr0ng-passw0rd")
            assert "refuses the user or the password" in str(error)
        assert "wants to know who we are" in str(self.refused(secured, caplog))

    def test_a_key_that_is_none_has_expired_or_was_revoked(self, secured, caplog, client):
        assert "does not know the API key" in str(self.refused(secured, caplog, api_key="bm90OmFrZXk="))
        short = client().security.create_api_key(name="short", expiration="1s")
        time.sleep(1.5)
        assert "API key: it has expired" in str(self.refused(secured, caplog, api_key=short["encoded"]))
        client().security.invalidate_api_key(ids=[client().security.create_api_key(name="gone")["id"]])
        gone = client().security.create_api_key(name="gone")
        client().security.invalidate_api_key(ids=[gone["id"]])
        assert "API key: it has been revoked" in str(self.refused(secured, caplog, api_key=gone["encoded"]))

    def test_a_missing_privilege_names_what_and_where(self, client):
        key = client().security.create_api_key(
            name="weak",
            role_descriptors={
                "w": {"cluster": ["monitor"], "indices": [{"names": ["govsoc-*"], "privileges": ["read"]}]}
            },
        )
        with pytest.raises(
            NotAllowed, match=r"lacks the privilege for indices:.* on .*govsoc-events.*soc setup"
        ) as error:
            client(api_key=key["encoded"]).index(index=WEB, id="1", document={})
        assert "\n" not in str(error.value)

    def test_a_licence_that_does_not_cover_it(self, client):
        query = '{"term":{"a":"b"}}'
        with pytest.raises(StoreUnavailable, match="licence") as error:
            client().security.put_role(
                name="govsoc-x", indices=[{"names": ["a"], "privileges": ["read"], "query": query}]
            )
        assert "\n" not in str(error.value)

    def test_what_is_not_elasticsearch_or_of_another_version(self, secured, caplog):
        def something_else(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            handler.wfile.write(b"{}")

        def older(handler):  # as 7.17 answers this client
            handler.send_response(406)
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            handler.wfile.write(
                b'{"error":{"type":"media_type_header_exception","reason":"Invalid media-type"},"status":406}'
            )

        with _plain_server(something_else) as port:
            assert "is not Elasticsearch" in str(self.refused(secured, caplog, f"http://127.0.0.1:{port}", None))
        with _plain_server(older) as port:
            assert "too old or too new" in str(self.refused(secured, caplog, f"http://127.0.0.1:{port}", None))

    def test_a_disk_that_is_full_asks_for_patience(self, client):
        client().create(index=WEB, id="1", document={})
        client().indices.put_settings(index=WEB, settings={"index.blocks.read_only_allow_delete": True})
        with pytest.raises(Busy, match="disk is nearly full") as error:
            client().create(index=WEB, id="2", document={})
        assert error.value.retry_after_s >= 5


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def _plain_server(answer):
    """An HTTP server that answers every GET with `answer(handler)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    return _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler))


def _forwarder(port, host):
    """A port of `host` that leads to `port` of 127.0.0.1."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", port)) as there:
                ends = {self.request: there, there: self.request}
                while True:
                    for end in select.select(list(ends), [], [], 5)[0]:
                        if not (data := end.recv(65536)):
                            return
                        ends[end].sendall(data)

    return _serving(socketserver.ThreadingTCPServer((host, 0), Handler))


def test_without_security_the_templates_are_installed_and_the_lack_is_said(elastic, monkeypatch, tmp_path):
    monkeypatch.setenv("SOC_STORE__URL", elastic.url)
    monkeypatch.setenv("SOC_DATA_DIR", str(tmp_path))
    runs = [CliRunner().invoke(build("setup"), ["setup", "elasticsearch"]) for _ in range(2)]
    assert [run.exit_code for run in runs] == [0, 0]
    assert "+ index template govsoc-events" in runs[0].stdout
    assert runs[1].stdout.startswith("nothing to do")
    assert all("security is off" in run.stdout for run in runs)
    with connect(elastic.url) as client:
        assert [fault.found.split(":")[0] for fault in faults(client, NOW)] == ["security is off"]

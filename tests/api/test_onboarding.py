"""Connecting a source by the API: preview, enrolment, token, and the check."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from texts import SQLI

from rules.load.folders import loads
from soc.model.event import Event, event_id
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import RuleDoc
from soc.model.source import STRANGERS, Source, SourceHealth, Transport
from soc.model.tuning import RuleException, exception_body
from soc.store.collected import SqliteHealth, open_collected

pytestmark = pytest.mark.usefixtures("pushed")
LINE = (
    '203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?id=1%20UNION%20SELECT%202&sdt=0912345678 HTTP/1.1" '
    '200 512 "-" "<script>alert(1)</script>"\n'
)
NOW = 0
NEW = {"id": "portal-2", "org": "hungyen", "type": "nginx.access", "transport": "push"}
PREVIEW = "/api/v1/sources/preview"


@pytest.fixture
def running(world):
    [rule] = loads(SQLI).rules
    world.detections.publish(
        [RuleDoc(rule.id, rule.hash, rule.title, rule.level, rule.text, titles={"vi": "SQL trong yêu cầu"})], []
    )


def by_token(world, token):
    return world.stores.sources.by_token(hashlib.sha256(token.encode()).hexdigest())


def report(world, folder, *health):
    SqliteHealth(open_collected(folder / "data")).report(health)


def test_a_pasted_attack_is_parsed_masked_and_matched(client_of, running):
    answer = client_of("analyst").post(PREVIEW, content=LINE + "\nnot a line\n")
    found = answer.json()
    assert answer.status_code == 200
    assert found["type"] == "nginx.access"
    assert found["proposals"][0] == {"type": "nginx.access", "confidence": 0.5, "parsed": 1, "unparsed": 1}
    assert [(line["number"], line["problem"]) for line in found["lines"]] == [
        (1, None), (3, "no quoted request in the line"),
    ]  # fmt: skip
    assert found["lines"][0]["fields"]["source.ip"] == "203.0.113.7"
    [match] = found["matches"]
    assert (match["line"], match["titles"]["en"], match["level"]) == (1, "SQL in a request", "high")
    assert match["matched"]["url.query"].startswith("id=1 UNION SELECT 2&sdt=phone_")
    assert found["masked"] == {"phone": 1}
    assert found["remarks"] == {"empty": 1}
    assert "0912345678" not in answer.text


def fate(client, **query):
    found = client.post(PREVIEW, content=LINE, params=query).json()
    [match] = found["matches"]
    return match["fate"], match["level"], match["exception"]


def lay_down(world, kind, id_, body, version=1):
    world.stores.policies.put(Policy(kind, id_, version, body, "test", NOW))


def test_a_match_says_what_is_tuned_for_the_organisation(client_of, running, world):
    admin, national = client_of("admin"), client_of("national")
    assert fate(admin) == fate(national) == ("live", "high", None)
    own = {"stage": "live", "orgs": {"hungyen": {"level": "low"}, "ninhbinh": {"enabled": False}}}
    lay_down(world, PolicyKind.RULE, "sqli", own)
    assert fate(admin) == fate(admin, org="hungyen") == ("live", "low", None)  # its only organisation
    assert fate(national) == ("live", "high", None)
    assert fate(national, org="ninhbinh") == ("off", "high", None)
    lay_down(world, PolicyKind.RULE, "sqli", {"stage": "draft"}, 2)
    assert fate(admin) == ("draft", "high", None)
    lay_down(world, PolicyKind.RULE, "sqli", {"stage": "test"}, 3)
    assert fate(admin) == ("test", "high", None)
    scanner = RuleException("mine", "sqli", "source.ip:203.0.113.7", "scanner", "lan", frozenset({"hungyen"}))
    lay_down(world, PolicyKind.EXCEPTION, "mine", exception_body(scanner))
    assert fate(admin) == ("hidden", "high", "mine")
    assert fate(client_of("outsider")) == ("test", "high", None)
    assert fate(national, org="hungyen") == ("hidden", "high", "mine")


def test_nobody_is_told_what_another_organisation_has_tuned(client_of, running):
    answer = client_of("admin").post(PREVIEW, content=LINE, params={"org": "ninhbinh"})
    assert answer.status_code == 404


def test_nothing_of_what_was_pasted_is_kept(client_of, running, world, tmp_path):
    client_of("analyst").post(PREVIEW, content=LINE.replace("/?id", "/only-here?id"))
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"only-here" not in file.read_bytes(), file


@pytest.mark.parametrize("name", ["file", "lines"])
def test_a_form_is_read_as_well(client_of, running, name):
    sent = {"files": {"file": LINE.encode()}} if name == "file" else {"data": {"lines": LINE}, "files": {"x": b""}}
    found = client_of("analyst").post(PREVIEW, **sent).json()
    assert (found["parsed"], len(found["matches"])) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 5000, bytes(range(256)) * 100, b'"[' * 100_000, "é\n".encode("latin-1") * 50, b"\n" * 200_000],
    ids=["empty", "nul", "binary", "brackets", "latin-1", "newlines"],
)
def test_hostile_lines_are_answered(client_of, running, body):
    answer = client_of("analyst").post(PREVIEW, content=body)
    assert answer.status_code == 200
    assert answer.json()["matches"] == []


def test_fifty_megabytes_are_refused_before_they_are_read(client_of):
    size = str(50 << 20)
    answer = client_of("analyst").post(PREVIEW, content=b"x", headers={"content-length": size})
    assert answer.status_code == 413
    assert "thousand lines" in answer.json()["detail"]
    pieces = (b"x" * (1 << 16) for _ in range(800))
    answer = client_of("analyst").post(PREVIEW, content=pieces)
    assert answer.status_code == 413


def test_an_unknown_type_or_zone_is_told(client_of):
    client = client_of("analyst")
    for query, word in (("type=nginx", "source type"), ("zone=Hanoi", "time zone"), ("zone=%2B25:00", "time zone")):
        answer = client.post(f"{PREVIEW}?{query}", content=LINE)
        assert answer.status_code == 422
        assert word in answer.json()["detail"]


def test_a_source_gets_a_token_that_is_shown_once(client_of, world):
    client = client_of("admin")
    answer = client.post("/api/v1/sources", json=NEW)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert by_token(world, token).id == "portal-2"
    assert answer.json()["source"]["state"] == "never_seen"
    assert token not in client.get("/api/v1/sources").text
    assert client.post("/api/v1/sources", json=NEW).status_code == 409
    renewed = client.post("/api/v1/sources/portal-2/token")
    assert renewed.status_code == 201
    assert by_token(world, token) is None
    assert by_token(world, renewed.json()["token"]).id == "portal-2"
    assert client.delete("/api/v1/sources/portal-2/token").status_code == 204
    assert by_token(world, renewed.json()["token"]) is None
    assert client.patch("/api/v1/sources/portal-2", json={"enabled": False}).json()["state"] == "disabled"
    done = [entry.action for entry in world.stores.audit.list(limit=4).items]
    assert done == ["source.disable", "source.revoke", "source.token", "source.add"]
    assert token not in repr(world.stores.audit.list(limit=10).items)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"id": "A b"}, 422),
        ({"type": "nginx"}, 422),
        ({"zone": "+24:00"}, 422),
        ({"transport": "syslog"}, 422),
        ({"transport": "file", "where": ["/etc/shadow"]}, 422),
        ({"transport": "syslog", "where": ["0.0.0.0/0"]}, 422),
        ({"transport": "probe", "type": "probe.check", "where": ["http://169.254.169.254/"]}, 422),
        ({"system": "cong"}, 422),
        ({"org": "ninhbinh"}, 404),
        ({"transport": "syslog", "where": ["10.1.2.3"]}, 201),
    ],
)
def test_what_an_administrator_of_one_province_may_enrol(client_of, changes, status):
    assert client_of("admin").post("/api/v1/sources", json=NEW | changes).status_code == status


def test_whose_logs_they_are_is_said_with_the_rest(client_of):
    client = client_of("admin")
    assert client.post("/api/v1/sources", json=NEW | {"system": "motcua"}).status_code == 201
    assert client.post("/api/v1/sources", json=NEW | {"id": "portal-3"}).status_code == 201
    systems = {source["id"]: source["system"] for source in client.get("/api/v1/sources").json()["items"]}
    assert (systems["portal-2"], systems["portal-3"]) == ("motcua", "portal")


def test_nobody_takes_over_what_another_organisation_sends(client_of, world):
    theirs = Source("nb", "nb", "ninhbinh", "syslog", Transport.SYSLOG, ("10.1.2.3",))
    world.stores.sources.add(theirs, None, by="test")
    wanted = NEW | {"transport": "syslog", "type": "syslog", "where": ["10.1.2.0/24"]}
    answer = client_of("admin").post("/api/v1/sources", json=wanted)
    assert answer.status_code == 409
    assert "ninhbinh" not in answer.text
    assert client_of("outsider").get("/api/v1/sources/portal-2/check").status_code == 404


def test_what_is_switched_on_again_takes_over_nothing(client_of, world):
    ours = Source("srv", "srv", "hungyen", "syslog", Transport.SYSLOG, ("10.1.2.3",))
    world.stores.sources.add(ours, None, by="test")
    client, path = client_of("admin"), "/api/v1/sources/srv"
    assert client.patch(path, json={"enabled": False}).status_code == 200
    theirs = NEW | {"id": "nb", "org": "ninhbinh", "transport": "syslog", "type": "syslog", "where": ["10.1.2.3"]}
    assert client_of("outsider").post("/api/v1/sources", json=theirs).status_code == 201
    answer = client.patch(path, json={"enabled": True})
    assert answer.status_code == 409
    assert "another organisation" in answer.json()["detail"]
    assert client.get(path).json()["enabled"] is False
    client_of("outsider").patch("/api/v1/sources/nb", json={"enabled": False})
    assert client.patch(path, json={"enabled": True}).json()["enabled"] is True


def test_a_file_has_no_token(client_of):
    answer = client_of("admin").post("/api/v1/sources/hungyen-portal/token")
    assert answer.status_code == 422
    assert "no token" in answer.json()["detail"]


def test_the_check_turns_green_and_says_what_is_wrong_until_then(client_of, world, tmp_path):
    client = client_of("viewer")

    def check(*health):
        report(world, tmp_path, *health)
        return client.get("/api/v1/sources/hungyen-otp/check").json()

    assert check()["state"] == "waiting"
    refused = SourceHealth("hungyen-otp", None, None, 0, 0, 0.0, refused=1, last_refused=world.now - 1)
    assert check(refused)["state"] == "wrong_token"
    good = SourceHealth("hungyen-otp", world.now, world.now, 1, 0, 0.1, lag_ms=5)
    found = check(good)
    assert (found["works"], found["state"]) == (True, "works")
    assert check(replace(good, lag_ms=7 * 3_600_000))["zone"] == "+00:00"


def test_a_better_type_is_found_in_what_could_not_be_parsed(client_of, world, tmp_path):
    id_ = event_id(0, "hungyen-otp", "1", "x")
    fields = {
        "event.id": id_, "event.kind": "pipeline_error", "event.dataset": "otp.gateway", "organization.id": "hungyen",
        "govsoc.source.id": "hungyen-otp", "error.message": "the line is not JSON", "event.original": LINE.strip(),
    }  # fmt: skip
    world.log.append([Event(id_, 0, "hungyen", "otp.gateway", fields)])
    report(world, tmp_path, SourceHealth("hungyen-otp", None, world.now, 1, 1, 1.0, None, 1.0, "the line is not JSON"))
    found = client_of("viewer").get("/api/v1/sources/hungyen-otp/check").json()
    assert (found["state"], found["better_type"], found["reason"]) == (
        "wrong_format",
        "nginx.access",
        "the line is not JSON",
    )


def test_unknown_senders_are_shown_to_who_sees_all_and_to_nobody_else(client_of, world, tmp_path):
    source = Source("srv", "srv", "hungyen", "syslog", Transport.SYSLOG, ("10.1.2.3",))
    world.stores.sources.add(source, None, by="test")
    report(world, tmp_path, SourceHealth(STRANGERS, None, None, 5, 5, 0.0, dead_reason="10.9.9.9 10.1.2.3"))
    found = client_of("national").get("/api/v1/sources/srv/check").json()
    assert (found["state"], found["senders"]) == ("unknown_sender", ["10.9.9.9"])
    found = client_of("admin").get("/api/v1/sources/srv/check").json()
    assert (found["state"], found["senders"]) == ("waiting", [])
    assert STRANGERS not in client_of("national").get("/api/v1/sources").text


def test_configuration_names_the_host_that_was_asked(client_of):
    answer = client_of("viewer").get("/api/v1/sources/hungyen-otp/config", headers={"host": "soc.hungyen.gov.vn"})
    texts = {item["way"]: item["text"] for item in answer.json()["items"]}
    assert "http://soc.hungyen.gov.vn:8081/ingest" in texts["curl"]
    odd = client_of("viewer").get("/api/v1/sources/hungyen-otp/config", headers={"host": "a;b"})
    assert odd.status_code == 200
    assert "a;b" not in odd.text

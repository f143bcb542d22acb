"""`soc sources preview|check|token|config`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from soc.cli import build
from soc.errors import ConfigError, Conflict
from soc.model.policy import Policy, PolicyKind
from soc.store.sqlite import open_stores

SQLI = (
    '203.0.113.7 - - [02/Mar/2026:18:59:58 +0700] "GET /?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20&sdt=0912345678'
    ' HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'
)


@pytest.fixture
def soc(tmp_path):
    def run(*arguments, stdin=None, data=True):
        where = ["--data-dir", str(tmp_path / "data")] if data else []
        result = CliRunner().invoke(build("sources"), ["sources", *arguments, *where], input=stdin)
        if isinstance(result.exception, ConfigError | Conflict):
            raise result.exception
        return result

    return run


def test_a_pasted_attack_names_the_rule_that_would_match(soc):
    result = soc("preview", "--json", stdin=SQLI, data=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["source_type"] == "nginx.access"
    assert "SQL Injection in a Request" in [match["title"] for match in found["matches"]]
    assert "0912345678" not in result.stdout
    assert "phone_" in result.stdout


def test_with_an_organisation_it_says_what_is_tuned_there(soc, tmp_path):
    [matched] = [m for m in json.loads(soc("preview", "--json", stdin=SQLI).stdout)["matches"] if "SQL" in m["title"]]
    assert matched["fate"] == "live"
    body = {"stage": "live", "orgs": {"hungyen": {"enabled": False}}}
    stores = open_stores(tmp_path / "data")
    stores.policies.put(Policy(PolicyKind.RULE, matched["rule_id"], 1, body, "test", 0))
    said = soc("preview", "--org", "hungyen", stdin=SQLI).stdout
    assert "[medium, off] SQL Injection in a Request" in said
    assert "[medium, live] SQL Injection in a Request" in soc("preview", "--org", "ninhbinh", stdin=SQLI).stdout


def test_for_people_it_says_what_could_not_be_parsed_and_ends_with_3(soc, tmp_path):
    file = tmp_path / "x.log"
    file.write_text(SQLI + "\x1b[31mnot a line\n")
    result = soc("preview", str(file), data=False)
    assert result.exit_code == 3
    assert "not parsed: no quoted request" in result.stdout
    assert "phone in 1 lines" in result.stdout
    assert "0912345678" not in result.stdout
    assert "\x1b" not in result.stdout


def test_what_cannot_be_read_is_said(soc, tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        soc("preview", str(tmp_path / "absent"), data=False)
    with pytest.raises(ConfigError, match="source type"):
        soc("preview", "--type", "nginx", stdin=SQLI, data=False)


def test_from_enrolment_to_a_token_and_the_check(soc, tmp_path):
    first = (
        soc("add", "otp", "--type", "otp.gateway", "--org", "hungyen", "--push").stdout.split("once): ")[1].split()[0]
    )
    assert first.startswith("govsoc_src_otp~")
    assert soc("check", "otp").exit_code == 3
    assert "waiting" in soc("check", "otp").stdout
    second = soc("token", "otp", "--renew").stdout.split()[-1]
    assert second != first
    assert second in soc("config", "otp", "--for", "curl", "--token", second, "--host", "10.0.0.5").stdout
    assert "revoked" in soc("token", "otp", "--revoke").stdout
    with pytest.raises(ConfigError, match="--renew or --revoke"):
        soc("token", "otp")
    assert [entry.action for entry in open_stores(tmp_path / "data").audit.list(limit=3).items] == [
        "source.revoke",
        "source.token",
        "source.add",
    ]


def test_configuration_is_only_for_the_way_of_the_source(soc):
    soc("add", "web", "--type", "nginx.access", "--org", "hungyen", "--from", "10.1.2.3")
    assert 'target="10.0.0.5"' in soc("config", "web", "--host", "10.0.0.5").stdout
    assert "access_log syslog:server=10.0.0.5" in soc("config", "web", "--for", "nginx", "--host", "10.0.0.5").stdout
    with pytest.raises(ConfigError, match="not for curl"):
        soc("config", "web", "--for", "curl")


def test_probes_are_enrolled_and_say_when_none_is_made(soc):
    said = soc("add", "probes", "--type", "probe.check", "--org", "hungyen", "--probe", "tcp://10.1.2.3:5432").stdout
    assert "note: collect.probe_networks is empty" in said
    assert "--probe tcp://10.1.2.3:5432" in soc("config", "probes").stdout
    with pytest.raises(ConfigError, match="needs a port"):
        soc("add", "more", "--type", "probe.check", "--org", "hungyen", "--probe", "tcp://10.1.2.3")
    with pytest.raises(ConfigError, match="exactly one of"):
        soc("add", "more", "--type", "probe.check", "--org", "hungyen", "--push", "--probe", "tcp://10.1.2.3:1")


def test_one_address_is_one_source_when_it_is_added_and_when_it_is_switched_on_again(soc):
    soc("add", "web", "--type", "nginx.access", "--org", "hungyen", "--from", "10.1.2.3")
    other = ("add", "srv", "--type", "syslog", "--org", "ninhbinh", "--from", "10.1.2.0/24")
    with pytest.raises(Conflict, match="another organisation"):
        soc(*other)
    soc("disable", "web")
    assert soc(*other).exit_code == 0
    with pytest.raises(Conflict, match="another organisation"):
        soc("enable", "web")
    soc("disable", "srv")
    assert "is enabled" in soc("enable", "web").stdout

"""Which rules see nothing any more: of the rules that come with govsoc, and of those that people write."""

from __future__ import annotations

from rules.desk.blind import blind, logsources, unfed
from rules.load.folders import CONTENT, load
from rules.rule import Correlation, Rule
from soc.model.rule import LogSource, RuleDoc


def docs(rules):
    by_id = {rule.id: rule for rule in rules}
    return [
        RuleDoc(rule.id, rule.hash, rule.title, rule.level, "", silent=rule.silent, logsources=logsources(rule, by_id))
        for rule in rules
    ]


SHIPPED = {doc.id: doc for doc in docs(load([CONTENT]).rules)}


def lost(type_, *live, rules=None):
    return {rule.id for rule in blind(list(SHIPPED.values()) if rules is None else rules, type_, live)}


def test_every_rule_that_comes_with_govsoc_is_fed_by_some_type_and_so_can_be_blind():
    types = ("nginx.access", "nginx.error", "apache.error", "linux.auth", "otp.gateway", "lgsp.gateway", "syslog")
    assert set().union(*map(lost, types)) == {id_ for id_, rule in SHIPPED.items() if not rule.silent}


def test_each_system_blinds_its_own_and_no_other_system_stands_in():
    web, ssh, otp = lost("nginx.access"), lost("linux.auth"), lost("otp.gateway")
    assert min(len(web), len(ssh), len(otp)) > 0
    assert len(web | ssh | otp) == len(web) + len(ssh) + len(otp)
    assert lost("nginx.access", "linux.auth", "otp.gateway", "lgsp.gateway") == web
    assert lost("nginx.access", "apache.access") < web
    assert lost("nginx.access", "nginx.access") == set()


def test_a_correlation_is_blind_when_all_that_it_counts_are():
    a = Rule("a", "h", "", "a", logsource=LogSource(category="webserver"), silent=True)
    b = Rule("b", "h", "", "b", logsource=LogSource("linux", None, "sshd"), silent=True)
    both = Rule("both", "h", "", "both", correlation=Correlation("event_count", ("a", "b"), (), 1, 2))
    rules = docs([a, b, both])
    assert [len(rule.logsources) for rule in rules] == [1, 1, 2]
    assert lost("nginx.access", rules=rules) == {"both"}
    assert lost("nginx.access", "linux.auth", rules=rules) == set()


def test_a_rule_of_no_known_log_source_is_not_named():
    assert lost("nginx.access", rules=[RuleDoc("x", "h", "", "low", "")]) == set()
    windows = RuleDoc("x", "h", "", "low", "", logsources=(LogSource("windows", "process_creation"),))
    assert lost("linux.auth", rules=[windows]) == set()


def test_rules_that_no_source_feeds():
    windows = RuleDoc("w", "w", "W", "low", "", logsources=(LogSource(product="windows"),))
    either = RuleDoc(
        "e", "e", "E", "low", "", logsources=(LogSource(product="windows"), LogSource(category="webserver"))
    )
    unknown = RuleDoc("u", "u", "U", "low", "")
    rules = [*SHIPPED.values(), windows, either, unknown]
    assert unfed(rules, []) == {*SHIPPED, "w", "e"}
    by_nginx = unfed(rules, ["nginx.access"])
    assert "w" in by_nginx
    assert by_nginx.isdisjoint({"e", "u"} | lost("nginx.access"))
    assert lost("linux.auth") <= by_nginx
    assert unfed(rules, ["syslog"]).isdisjoint(lost("linux.auth"))

"""The pages as they are sent: escaped, complete, working without JavaScript."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from servers import both_stores

from api.console.language import LOCALES
from api.console.render import TEMPLATES, local
from api.standing import expect
from soc.model.alert import Status, Verdict
from soc.model.org import EVERYTHING
from soc.model.policy import Policy, PolicyKind
from soc.model.rule import LogSource, RuleDoc, RuleFault, RulesInForce, Stage
from soc.model.source import Source, SourceHealth, Transport
from soc.model.tuning import RuleSetting, setting_body
from soc.service.organisations import SHIPPED, keep, read
from soc.service.watch import Watch
from soc.store.collected import SqliteHealth, open_collected

EN = {"accept-language": "en"}
PASSWORD = "a password of the tests"
RULE = RuleDoc(
    "web-sqli",
    "hash-sqli",
    "SQL injection attempt",
    "high",
    "",
    titles={"vi": "Dấu hiệu tấn công SQL injection"},
    logsources=(LogSource(category="webserver"),),
)


def page(client, path):
    answer = client.get(path, headers=EN)
    assert answer.status_code == 200, path
    return answer.text


@pytest.mark.parametrize("path", ["/alerts", "/alerts/{alert}", "/events", "/events/{event}", "/events?q=script"])
def test_a_hostile_user_agent_is_only_text(client_of, world, path):
    text = page(client_of("analyst"), path.format(alert=world.alerts["hungyen"], event=world.events["hungyen"][0].id))
    assert "<script>alert" not in text
    if path != "/alerts":
        assert "&lt;script&gt;alert(&#39;xss&#39;)&lt;/script&gt;" in text


@pytest.mark.parametrize("path", ["/alerts?text=%22><script>x", "/alerts?org=<script>x", "/events?q=<script>x", "/events?q=%22<script>x",
                                  "/events?since=<script>x", "/sign-in?next=/<script>x", "/rules/<script>x", "/<script>x"])  # fmt: skip
def test_what_is_asked_comes_back_escaped(client_of, path):
    assert "<script>x" not in client_of("analyst").get(path, headers=EN).text


@both_stores
def test_the_alert_says_what_fired_why_and_what_to_do(client_of, world):
    text = page(client_of("analyst"), f"/alerts/{world.alerts['hungyen']}")
    assert "<mark>id=0 UNION SELECT 1</mark>" in text
    assert "A request holds SQL." in text
    assert "<li>Look at the <strong>source address</strong>.</li>" in text
    assert "ATT&amp;CK T1190" in text
    assert "A security test that was announced" in text
    vietnamese = client_of("analyst").get(f"/alerts/{world.alerts['hungyen']}").text
    assert "Dấu hiệu tấn công SQL injection" in vietnamese
    assert "<strong>địa chỉ nguồn</strong>" in vietnamese


@pytest.mark.parametrize(
    ("kind", "english", "vietnamese"),
    [
        ("event_count", "17 events within the rule's window", "17 sự kiện trong khung thời gian của luật"),
        ("value_count", "17 different values within the rule's window", "17 giá trị khác nhau trong khung thời gian của luật"),
    ],
)  # fmt: skip
def test_what_a_correlation_counted_is_said_in_words_with_lines_of_it(client_of, world, kind, english, vietnamese):
    entity, field = "198.51.100.17", f"govsoc.correlation.{kind}"
    alert = world.fire("hungyen", 19, entity, counted={"source.ip": entity, field: 17})
    text, theirs = page(client_of("viewer"), f"/alerts/{alert}"), client_of("viewer").get(f"/alerts/{alert}").text
    assert vietnamese in theirs
    why = text[text.index('id="why"') : text.index("<table")]
    assert english in why
    assert field not in text
    assert f"<mark>{entity}</mark>" in why
    assert [f"id={i} UNION" in why for i in (0, 1, 18)] == [True, False, True]
    assert "<mark>17</mark>" not in text  # the count marks no 17 that happens to stand in a line


def test_times_are_those_of_viet_nam(client_of, world):
    assert "18:00:24 02/03/2026" in client_of("viewer").get("/alerts").text


@both_stores
def test_every_folded_event_can_be_paged_to(client_of, world):
    client, path = client_of("viewer"), f"/alerts/{world.alerts['hungyen']}"
    first = page(client, path)
    more = re.search(r'rel="next" href="([^"#]+)', first)[1]
    second = page(client, more)
    assert (first.count('class="event"'), second.count('class="event"')) == (20, 5)


def test_viewers_see_no_buttons(client_of, world):
    for path in ("/alerts", f"/alerts/{world.alerts['hungyen']}"):
        assert "/triage" not in page(client_of("viewer"), path)
        assert "/triage" in page(client_of("analyst"), path)


def decide(client, world, **form):
    return client.post(f"/alerts/{world.alerts['hungyen']}/triage", data=form, headers=EN)


def triage(world):
    return world.stores.alerts.get(world.alerts["hungyen"], EVERYTHING).triage


@both_stores
def test_the_buttons_work_as_plain_forms(signed_in, world):
    client = signed_in("analyst")
    assert (
        decide(client, world, action="acknowledge", version=0, back="/alerts?level=high").headers["location"]
        == "/alerts?level=high"
    )
    assert (triage(world).status, triage(world).assignee) == (Status.ACKNOWLEDGED, "analyst")
    assert decide(client, world, action="close", version=1, verdict="benign", comment="ok").status_code == 303
    assert (triage(world).status, triage(world).verdict) == (Status.CLOSED, Verdict.BENIGN)
    assert "it is closed as benign: reopen it first" in decide(client, world, action="acknowledge", version=2).text
    assert 'value="reopen"' in page(client, f"/alerts/{world.alerts['hungyen']}")
    assert decide(client, world, action="reopen", version=2).status_code == 303
    assert (triage(world).status, triage(world).verdict) == (Status.NEW, None)
    assert decide(client, world, action="comment", comment="more").status_code == 303
    assert decide(client, world, action="take").status_code == 303
    assert [c.new for c in world.stores.triage.history(world.alerts["hungyen"]) if c.field == "comment"] == [
        "ok",
        "more",
    ]


def test_closing_without_a_verdict_says_why_and_keeps_the_comment(signed_in, world):
    answer = decide(signed_in("analyst"), world, action="close", version=0, comment="typed at 3 a.m.")
    assert answer.status_code == 422
    assert "closing needs a verdict" in answer.text
    assert "typed at 3 a.m.</textarea>" in answer.text


def test_the_second_of_two_people_is_shown_what_the_first_did(signed_in, world):
    client = signed_in("analyst")
    decide(client, world, action="acknowledge", version=0)
    answer = decide(client, world, action="close", version=0, verdict="benign", comment="mine")
    assert answer.status_code == 409
    assert "Somebody changed this alert meanwhile" in answer.text
    assert "mine</textarea>" in answer.text


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/alerts?x=1", "/alerts?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("/\tevil", "/"),
    ],
)
def test_nobody_is_sent_elsewhere(client_of, path, safe):
    assert local(path) == safe
    answer = client_of().post("/sign-in", data={"name": "viewer", "password": PASSWORD, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, safe)


def test_signing_in_wrongly_says_so_and_keeps_the_name(client_of):
    client = client_of()
    answer = client.post("/sign-in", data={"name": "viewer", "password": "x"}, headers=EN)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert 'value="viewer"' in answer.text
    for _ in range(5):
        answer = client.post("/sign-in", data={"name": "viewer", "password": "x"}, headers=EN)
    assert answer.status_code == 429
    assert "Wait 300 seconds" in answer.text or "Wait 301 seconds" in answer.text


def test_who_is_not_signed_in_comes_back_to_the_page_after_it(client_of, world):
    client = client_of()
    path = f"/alerts/{world.alerts['hungyen']}?cursor=MDo"
    to_sign_in = client.get(path).headers["location"]
    form = re.search(r'name="next" value="([^"]+)"', client.get(to_sign_in).text)[1]
    assert form == path
    answer = client.get("/alerts", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_a_search_that_cannot_be_read_points_at_the_place(client_of):
    answer = client_of("viewer").get("/events", params={"q": "a AND (b"}, headers=EN)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_search_times_are_those_of_viet_nam(client_of):
    client = client_of("viewer")
    assert page(client, "/events?since=2026-03-02T18:00").count('class="event"') == 25
    assert page(client, "/events?since=2026-03-02T18:01").count('class="event"') == 0
    assert client.get("/events?since=soon").status_code == 400


@both_stores
def test_sources_and_rules(client_of):
    sources = page(client_of("national"), "/sources")
    assert "Receiving" in sources
    assert "Never seen" in sources
    rules = page(client_of("viewer"), "/rules")
    assert "<code>portal/broken.yml</code>" in rules
    assert "no detection: add one" in rules
    assert "2 rules cannot work" in rules
    assert "title: SQL injection attempt" in page(client_of("viewer"), "/rules/web-sqli")


@both_stores
def test_the_rules_page_says_since_when_they_run_and_which_see_nothing(client_of, world):
    theirs = replace(
        RULE,
        id="win",
        hash="win",
        title="Windows",
        logsources=(LogSource(product="windows"),),
        author="Somebody <Else>",
        license="DRL-1.1",
        package="sigmahq",
        pipelines=("ecs_windows",),
    )
    web = replace(RULE, logsources=(LogSource(category="webserver"),))
    began = RulesInForce("ab12cd", 2, world.clock(), world.clock())
    world.detections.publish([web, theirs], [], began)
    rules = page(client_of("national"), "/rules")
    assert "ab12cd" in rules
    assert "are being read" not in rules
    assert "1 rule sees nothing" in rules
    assert rules.count("no such logs") == 1
    one = page(client_of("viewer"), "/rules/win")
    assert "Somebody &lt;Else&gt;" in one
    assert all(text in one for text in ("DRL-1.1", "sigmahq", "ecs_windows"))
    assert "does not work as it should" not in one
    world.detections.publish([web, theirs], [RuleFault("stopped while running: ValueError", rule_id="win")], began)
    assert 'href="/rules/win"><code>win</code>' in page(client_of("viewer"), "/rules")
    assert "stopped while running: ValueError" in page(client_of("viewer"), "/rules/win")
    assert client_of("viewer").get("/api/v1/rules/win").json()["faults"][0]["reason"].startswith("stopped")
    world.detections.publish([web, theirs], [], replace(began, loading_since=world.clock()))
    assert "The files have changed and are being read." in page(client_of("national"), "/rules")
    told = client_of("viewer").get("/api/v1/rules").json()["in_force"]
    assert (told["hash"], told["rules"], told["loading_since"] is None) == ("ab12cd", 2, False)


def test_one_of_thousands_of_rules_is_found_by_name_and_stage(client_of, world):
    many = [replace(RULE, id=f"r{n}", hash=f"r{n}", title=f"Rule {n:04d}", tags=()) for n in range(1200)]
    many.append(replace(RULE, id="w", hash="w", title="Other", titles={"vi": "Đăng nhập"}, package="sigmahq"))
    world.detections.publish(many, [])
    body = setting_body(RuleSetting("", Stage.TEST))
    world.stores.policies.put(Policy(PolicyKind.RULE, "r7", 1, body, "lan", world.clock(), "imported"))
    client = client_of("viewer")
    whole = page(client, "/rules")
    assert "(500 / 1201)" in whole
    assert len(whole) < 500_000
    for query, shown in (
        ("q=rule+0011", ["r11"]),
        ("q=dang+nhap", ["w"]),
        ("q=SIGMAHQ", ["w"]),
        ("stage=test", ["r7"]),
    ):
        found = page(client, f"/rules?{query}")
        assert re.findall(r'href="/rules/(\w+)"', found) == shown, query
        assert "More than are shown" not in found
    assert client.get("/rules?stage=nonsense").status_code == 422
    assert "<script>x" not in page(client, "/rules?q=<script>x")


def test_nothing_comes_from_elsewhere_and_nothing_is_inline(client_of, world):
    for path in ("/sign-in", "/alerts", f"/alerts/{world.alerts['hungyen']}", "/events", "/sources", "/rules"):
        text = page(client_of("analyst"), path)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
        assert not re.search(r"<script(?![^>]+src=)|<style|\son\w+=|\sstyle=", text)
    own = [*TEMPLATES.glob("*.html"), *(LOCALES.parent / "static").glob("console.*")]
    assert not [file.name for file in own if re.search(r"https?://", file.read_text(encoding="utf-8"))]


def test_the_part_that_is_not_ours_carries_its_licence(client_of):
    assert "Zero-Clause BSD" in client_of().get("/static/htmx.LICENSE.txt").text
    assert client_of().get("/static/../render.py").status_code == 404


def silent_country(world, folder, rules=(RULE,)):
    """Two organisations of the directory; the portal of Hưng Yên fell silent, that of Ninh Bình was never seen."""
    keep(world.stores.policies, read(SHIPPED), by="test", now=0, reason="")
    world.detections.publish(rules, [])
    world.now += 16 * 60_000
    watch = Watch(world.stores, world.clock)
    watch.look()
    return watch, SqliteHealth(open_collected(folder / "data"))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("silent since", "19 minutes ago", "1 rule sees nothing of this organisation now:", "SQL injection attempt",
                "every 15 minutes")),
        ("vi", ("im lặng từ", "19 phút trước", "1 luật hiện không thấy gì của đơn vị này:", "Dấu hiệu tấn công SQL injection",
                "mỗi 15 phút")),
    ],
)  # fmt: skip
def test_a_silent_source_is_a_red_line_with_the_blind_rules(client_of, world, tmp_path, language, said):
    silent_country(world, tmp_path)
    world.now += 3 * 60_000
    text = client_of("viewer").get("/sources", headers={"accept-language": language}).text
    banner = re.search(r'<section class="notice bad" id="outages".*?</section>', text, re.DOTALL)[0]
    for words in said[:-1]:
        assert words in banner
    assert said[-1] in text
    assert 'href="/rules/web-sqli"' in banner
    assert "Portal hungyen" in banner
    other = client_of("outsider").get("/sources", headers=EN).text
    assert 'id="outages"' not in other
    assert "hungyen" not in other


def test_an_outage_that_is_over_is_shown_for_a_day(client_of, world, tmp_path):
    watch, health = silent_country(world, tmp_path)
    health.report([SourceHealth("hungyen-portal", world.now, world.now, 1, 0, 1.0)])
    watch.look()
    text = page(client_of("viewer"), "/sources")
    assert 'id="outages"' not in text
    assert "1 source was silent in the last 24 hours and sends again" in text
    world.now += 25 * 3_600_000
    assert 'id="cleared"' not in page(client_of("viewer"), "/sources")


def test_an_exempt_source_says_until_when_and_why(client_of, world):
    given = {"exempt_until": "2026-03-31", "reason": "<i>moving", "schedule": "office_hours"}
    expect(world.stores.policies, "ninhbinh-portal", given, by="test", now=0)
    text = page(client_of("outsider"), "/sources")
    assert "Silence allowed" in text
    assert "not until after 2026-03-31: &lt;i&gt;moving" in text
    assert "in office hours" in text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "Coverage",
                "Public service portal",
                "Hanoi",
                "1 rule blind",
                "Silent: 1",
                "Never seen: 1",
                "not in the directory",
            ),
        ),
        (
            "vi",
            (
                "Độ phủ",
                "Cổng dịch vụ công",
                "Thành phố Hà Nội",
                "1 luật bị mù",
                "Im lặng: 1",
                "Chưa từng thấy: 1",
                "không có trong danh bạ",
            ),
        ),
    ],
)
def test_the_coverage_matrix(client_of, world, tmp_path, language, said):
    silent_country(world, tmp_path)
    world.stores.sources.add(Source("x", "x", "nobody", "linux.auth", Transport.PUSH), None, by="test")
    text = client_of("national").get("/coverage", headers={"accept-language": language}).text
    for words in said:
        assert words in text, words
    assert text.count("<tr") == 1 + 3
    empty = re.search(r'id="empty".*?</section>', text, re.DOTALL)[0]
    assert empty.count(",") >= 16 + 31
    assert 'href="/sources?org=hungyen&amp;system=portal"' in text
    theirs = client_of("outsider").get("/coverage", headers={"accept-language": language}).text
    assert theirs.count("<tr") == 2
    assert "hungyen" not in theirs


def test_many_blind_rules_fold(client_of, world, tmp_path):
    many = [replace(RULE, id=f"r{n}", hash=f"h{n}", titles={"en": f"Rule {n}."}) for n in range(30)]
    silent_country(world, tmp_path, many)
    text = page(client_of("viewer"), "/sources")
    assert "30 rules see nothing of this organisation now:" in text
    folded = re.search(r"<details id=.*?</details>", text, re.DOTALL)[0]
    assert "and 25 more" in folded
    assert ("Rule 4." in folded, "Rule 5." in folded, "Rule 29." in folded) == (False, True, True)


def test_a_cell_leads_to_its_sources(client_of, world):
    text = page(client_of("national"), "/sources?org=hungyen&system=portal")
    assert "Portal hungyen" in text
    assert "Portal ninhbinh" not in text
    assert 'href="/sources">Show all sources' in text
    assert "Show all sources" in page(client_of("national"), "/sources?org=nobody")


def test_without_a_directory_the_coverage_page_shows_who_has_sources(client_of, world):
    assert "soc orgs import" in page(client_of("national"), "/coverage"), "who may see all can have it read"
    text = page(client_of("viewer"), "/coverage")
    assert "soc orgs import" not in text
    assert "not in the directory" not in text
    assert text.count("<tr") == 2


def test_an_alert_says_what_was_asked_for_in_place_of_the_rules_text_and_what_was_found_late(client_of, world):
    said = {
        "source.ip": "203.0.113.9",
        "govsoc.correlation.event_count": 6,
        "govsoc.correlation.asked": "event_count gte 5 within 600 s",
    }
    alert = world.fire(
        "hungyen", 6, "203.0.113.9", counted=said | {"govsoc.correlation.found_late": "2026-03-02T12:00:00.000Z"}
    )
    text = page(client_of("viewer"), f"/alerts/{alert}")
    assert "in place of the rule" in text
    assert "event_count gte 5 within 600 s" in text
    assert "Found late: events came later than allowed" in text
    assert "govsoc.correlation" not in text, "it is no field of the events"
    plain = page(
        client_of("viewer"),
        f"/alerts/{world.fire('hungyen', 6, '203.0.113.10', counted={'source.ip': '203.0.113.10'})}",
    )
    assert "Found late" not in plain

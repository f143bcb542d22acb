"""Service levels through the API and on their page, as the observer has written them."""

from __future__ import annotations

from levels_made import level, observed

EN, VI = {"accept-language": "en"}, {"accept-language": "vi"}


def test_before_the_observer_has_run_nothing_is_known(client_of):
    assert client_of("viewer").get("/api/v1/services").json() == {"items": [], "next": None}
    assert "Chưa có số liệu" in client_of("viewer").get("/services", headers=VI).text


def test_a_level_with_all_its_figures(client_of, anomaly_db):
    observed(anomaly_db, [level("hungyen"), level("ninhbinh")])
    [one] = client_of("viewer").get("/api/v1/services").json()["items"]
    assert (one["org"], one["system"], one["ratio"]) == ("hungyen", "otp", 0.92)
    assert round(one["budget_left"], 3) == -1.667
    assert (one["burning"]["blame"], one["burning"]["upstream"]) == ("upstream", ["mobifone"])
    assert one["parts"][0]["name"] == "mobifone"


def test_pages_and_filters(client_of, anomaly_db):
    observed(
        anomaly_db, [level("hungyen", name=f"slo-{n:02d}", burning=False) for n in range(25)] + [level("ninhbinh")]
    )
    client, cursor, names = client_of("national"), None, []
    while True:
        page = client.get("/api/v1/services", params={"limit": 7, "cursor": cursor} if cursor else {"limit": 7}).json()
        names += [(one["org"], one["name"]) for one in page["items"]]
        if not (cursor := page["next"]):
            break
    assert names == sorted(names)
    assert len(names) == 26
    assert client.get("/api/v1/services?system=portal").json()["items"] == []
    assert len(client.get("/api/v1/services?org=ninhbinh").json()["items"]) == 1
    assert client.get("/api/v1/services?cursor=%F0%9F").status_code == 400


def test_the_page_shows_what_burns_first_and_only_ones_own(client_of, anomaly_db):
    observed(anomaly_db, [level("ninhbinh"), level("hungyen", name="a", burning=False, bad=1), level("hungyen")])
    text = client_of("viewer").get("/services", headers=EN).text
    assert text.index("The carrier mobifone fails (hungyen)") < text.index("99.9 %")  # the calm one
    assert "-167 %" in text
    assert "Act now" in text
    assert "ninhbinh" not in text
    assert "Nhà mạng mobifone lỗi (hungyen)" in client_of("viewer").get("/services", headers=VI).text
    elsewhere = client_of("viewer").get("/services?org=ninhbinh", headers=EN).text
    assert "Nothing was counted of what is chosen here" in elsewhere
    assert "once their logs arrive" not in elsewhere


def test_that_no_event_was_ever_good_is_said(client_of, anomaly_db):
    observed(anomaly_db, [level("hungyen", bad=1000, burning=False, ever_good=False)])
    [one] = client_of("viewer").get("/api/v1/services").json()["items"]
    assert one["never_good"]
    assert "No event was ever good" in client_of("viewer").get("/services", headers=EN).text
    assert "Chưa có sự kiện nào đạt" in client_of("viewer").get("/services", headers=VI).text
    observed(anomaly_db, [level("hungyen")])
    assert "No event was ever good" not in client_of("viewer").get("/services", headers=EN).text


def test_a_surge_is_declared_and_ended_on_its_page(signed_in):
    page = signed_in("admin")
    form = {
        "name": "<b>Tuyển sinh",
        "since": "2026-03-02T08:00",
        "until": "2026-03-09T17:00",
        "factor": "2.5",
        "orgs": "hungyen",
        "systems": ["portal", "otp"],
        "services": "hotich, datdai",
        "hours": "07:00-11:30",
        "reason": "công văn",
    }
    refused = page.post("/services/surges", data=form | {"orgs": ""}, headers=VI)
    assert refused.status_code == 403
    assert "đợt cao điểm của mọi đơn vị là của tất cả" in refused.text
    assert 'value="&lt;b&gt;Tuyển sinh"' in refused.text
    assert page.post("/services/surges", data=form).status_code == 303
    shown = page.get("/services/surges", headers=EN).text
    assert "2.5×" in shown
    assert "Public service portal" in shown
    assert "07:00-11:30" in shown
    assert "hotich" in shown
    end = shown.split('action="/services/surges/', 1)[1].split('"')[0]
    end = f"/services/surges/{end}"
    assert signed_in("viewer").post(end, data={"reason": "x"}).status_code == 403
    assert page.post(end, data={"reason": "over"}).status_code == 303
    assert page.post(end, data={"reason": "over"}).status_code == 422
    assert 'id="declare"' not in signed_in("viewer").get("/services/surges").text

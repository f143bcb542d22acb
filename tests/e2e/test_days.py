"""A whole day of each of the three kinds of people who use the console, in both languages, on both stores, in a real browser.

One product a store serves all of them, as in life: each has an organisation of their own, and sees nothing of the others'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from day import Day, chromium, day_of
from day_admin import Admin
from day_analyst import Analyst
from day_helper import Helper
from elastic import empty
from kept import InCluster, InFiles, Kept
from playwright.sync_api import Browser
from receivers import Mailbox
from servers import Product

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Service:
    product: Product
    kept: Kept
    mailbox: Mailbox


@pytest.fixture(scope="module", params=["sqlite", "elasticsearch"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, compiled: Path
) -> Iterator[Service]:
    data_dir = tmp_path_factory.mktemp("days") / "data"
    data_dir.mkdir(mode=0o700)
    (data_dir / "cache").symlink_to(compiled)
    kept: Kept = InFiles(data_dir)
    env = {}
    if request.param == "elasticsearch":
        cluster = request.getfixturevalue("elastic_server")
        empty(cluster)
        env, kept = {"SOC_STORE__URL": cluster.url}, InCluster(cluster)
    mailbox = Mailbox()
    mailbox.start()
    mail = {
        "SOC_NOTIFY__SMTP_HOST": "127.0.0.1",
        "SOC_NOTIFY__SMTP_PORT": str(mailbox.port),
        "SOC_NOTIFY__SMTP_SECURITY": "none",
    }
    product = Product(data_dir, env | mail | {"SOC_TUNING__DAILY_BUDGET": "1"})
    product.env["SOC_SERVE__PUBLIC_URL"] = product.url
    try:
        product.start()
        yield Service(product, kept, mailbox)
    finally:
        product.stop()
        mailbox.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=["vi", "en"])
def day(request: pytest.FixtureRequest, service: Service, browser: Browser) -> Iterator[Day]:
    with day_of(browser, service.product, request.param, request.node.name) as day:
        yield day


def test_the_day_of_an_analyst(day: Day, service: Service) -> None:
    analyst = Analyst(day, {"vi": "H26", "en": "H27"}[day.language])
    analyst.is_told_by_mail(service.mailbox)
    analyst.signs_in_by_the_link()
    analyst.looks_through_the_queue()
    analyst.opens_an_incident()
    analyst.finds_that_a_further_alert_has_joined()
    analyst.snoozes_another()
    analyst.closes_the_noise_at_once()
    analyst.searches_for_a_citizen()
    looked = [detail for action, _, detail in service.kept.audited(analyst.name) if action == "search.person"]
    assert len(looked) == 1
    assert "a phone number in 1 organisations" in looked[0]
    analyst.splits_and_merges()
    analyst.closes_the_incident()
    analyst.sees_how_long_it_took()


def test_the_day_of_a_communes_it_helper(day: Day) -> None:
    helper = Helper(day, *{"vi": ("H28", "127.0.0.28"), "en": ("H29", "127.0.0.29")}[day.language])
    helper.signs_in()
    helper.pastes_lines()
    helper.enrols()
    helper.sends_with_a_token_that_was_cut_short()
    helper.sends_as_it_is_printed()
    helper.sends_with_a_clock_that_is_ahead()
    helper.sends_in_another_zone()
    helper.connects_a_machine_by_syslog()
    helper.renews_and_revokes_the_token()
    helper.sees_what_is_covered()


def test_the_day_of_an_administrator(day: Day, service: Service) -> None:
    admin = Admin(day, {"vi": "H30", "en": "H31"}[day.language])
    admin.signs_in()
    admin.sees_how_often_the_rule_was_wrong()
    admin.asks_what_it_would_have_raised()
    admin.puts_the_rule_in_test()
    admin.brings_it_to_life_against_the_budget()
    admin.makes_an_exception()
    admin.sees_what_it_hides()
    admin.raises_the_level_for_one_organisation()
    admin.sees_that_an_exception_ends()
    admin.sees_the_history()
    done = [action for action, _, _ in service.kept.audited(admin.name)]
    assert {"sign-in", "backtest.start", "exception.create"} <= set(done)
    assert done.count("rule.setting") == 3

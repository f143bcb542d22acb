from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest

from api.auth import COOKIE
from api.live import Feed
from api.passwords import digest
from api.routes import alerts as routes
from soc import telemetry
from soc.errors import Busy, StoreUnavailable
from soc.model.alert import Decision
from soc.model.org import EVERYTHING, Scope
from soc.store.base import AlertFilter

HUNGYEN, NINHBINH = Scope(frozenset({"hungyen"})), Scope(frozenset({"ninhbinh"}))


def newest(world, limit=50):
    return lambda: world.stores.alerts.list(AlertFilter(), EVERYTHING, limit=limit)


class Looks:
    """The looks of a feed, counted: once another has begun, all is told of the one before."""

    def __init__(self, feed):
        self.look, self.begun = feed._look, 0
        feed._look = self

    def __call__(self):
        self.begun += 1
        return self.look()

    async def more(self, count):
        until = self.begun + count
        while self.begun < until:
            await asyncio.sleep(0.005)


async def watching(feed, scope, act):
    """What a watcher hears of `act`."""
    looks, task = Looks(feed), asyncio.create_task(feed.run())
    with feed.watch(scope) as queue:
        await looks.more(2)  # the first one is told
        await asyncio.to_thread(act)
        await looks.more(3)  # one may have begun before, and one may fail
        heard = [queue.get_nowait() for _ in range(queue.qsize())]
    task.cancel()
    return heard


def test_new_and_changed_alerts_are_heard_inside_the_scope(world):
    feed = Feed(newest(world), interval_s=0.02)
    heard = asyncio.run(watching(feed, HUNGYEN, lambda: world.fire("hungyen", 2, "198.51.100.9")))
    assert [(a.entity, a.count) for a in heard] == [("198.51.100.9", 2)]
    act = lambda: world.stores.triage.change(world.alerts["hungyen"], Decision(comment="y"), by="x", now=world.now)  # noqa: E731
    assert [a.id for a in asyncio.run(watching(feed, HUNGYEN, act))] == [world.alerts["hungyen"]]
    assert asyncio.run(watching(feed, NINHBINH, lambda: world.fire("hungyen", 3, "198.51.100.9"))) == []


@pytest.mark.parametrize("trouble", [StoreUnavailable("locked"), KeyError("locked")], ids=["known", "of no known kind"])
def test_a_look_that_fails_does_not_end_the_feed(world, capsys, trouble):
    look, calls = newest(world), []
    before = telemetry.LIVE_FAILURES._value.get()

    def flaky():
        calls.append(1)
        if len(calls) == 2:
            raise trouble
        return look()

    heard = asyncio.run(
        watching(Feed(flaky, interval_s=0.05), HUNGYEN, lambda: world.fire("hungyen", 1, "198.51.100.9"))
    )
    assert len(heard) == 1
    assert "locked" in capsys.readouterr().out
    assert telemetry.LIVE_FAILURES._value.get() - before == isinstance(trouble, KeyError)


def test_a_slow_watcher_is_told_to_reload_and_costs_no_memory(world):
    def many():
        for i in range(8):
            world.fire("hungyen", 1, f"198.51.100.{i}")

    async def slow():
        feed = Feed(newest(world), interval_s=0.01, backlog=3)
        looks, task = Looks(feed), asyncio.create_task(feed.run())
        with feed.watch(HUNGYEN) as queue:
            await looks.more(2)
            await asyncio.to_thread(many)
            await looks.more(3)
            task.cancel()
            return [queue.get_nowait() for _ in range(queue.qsize())]

    heard = asyncio.run(slow())
    assert len(heard) <= 3
    assert heard[0] is None


@pytest.mark.parametrize(("flood", "heard"), [(3, ["198.51.100.1"]), (4, [None]), (9, [None])])
def test_a_flood_in_one_organisation_makes_the_others_reload(world, flood, heard):
    """A look sees five alerts: with one of Ninh Bình's and four newer ones of Hưng Yên's, nothing older is known for sure."""

    def act():
        world.now += 1
        world.fire("ninhbinh", 1, "198.51.100.1")
        world.now += 1
        for i in range(flood):
            world.fire("hungyen", 1, f"203.0.113.1{i}")

    async def flooded():
        look = newest(world, limit=5)
        feed = Feed(look)
        with feed.watch(NINHBINH) as queue:
            feed._tell(look())
            act()
            feed._tell(look())
            return [queue.get_nowait() for _ in range(queue.qsize())]

    assert [change and change.entity for change in asyncio.run(flooded())] == heard


def test_nothing_is_looked_at_while_nobody_watches(world):
    async def idle():
        calls = []
        feed = Feed(lambda: calls.append(1) or world.stores.alerts.list(AlertFilter(), EVERYTHING), interval_s=0)
        task = asyncio.create_task(feed.run())
        for _ in range(100):
            await asyncio.sleep(0)
        unwatched = len(calls)
        with feed.watch(EVERYTHING):
            while not calls:
                await asyncio.sleep(0)
        task.cancel()
        return unwatched

    assert asyncio.run(idle()) == 0


def test_a_full_house_is_refused():
    feed = Feed(list, watchers=1)
    feed.check_room()
    with feed.watch(EVERYTHING), pytest.raises(Busy):
        feed.check_room()
    feed.check_room()


def get(path, *headers):
    """The ASGI scope of a request."""
    return {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "scheme": "http", "headers": [(b"host", b"x"), *headers], "client": ("192.0.2.1", 1),
            "server": ("x", 80)}  # fmt: skip


async def stream(app, key, act, until):
    """The status of `/api/v1/alerts/stream`, and what it said when, after `act`, all there is to hear is told: `until` that is in it."""
    said, gone, looks = [], asyncio.Event(), Looks(app.state.soc.feed)
    scope = get("/api/v1/alerts/stream", *([(b"authorization", f"Bearer {key}".encode())] if key else []))

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    def text():
        return b"".join(message.get("body", b"") for message in said[1:]).decode()

    feeding = asyncio.create_task(app.state.soc.feed.run())
    answering = asyncio.create_task(app(scope, receive, send))
    while "ready" not in text() and not answering.done():
        await asyncio.sleep(0.01)
    if not answering.done():
        await looks.more(2)
        await asyncio.to_thread(act)
        await looks.more(5)
        while until not in text():
            await asyncio.sleep(0.01)
    gone.set()
    await asyncio.wait_for(answering, 60)
    feeding.cancel()
    return said[0]["status"], text()


@pytest.mark.parametrize(
    ("key", "status", "hears"),
    [(None, 401, False), ("wrong", 401, False), ("key-viewer", 200, True), ("key-outsider", 200, False)],
)
def test_the_stream_is_for_who_may_see_the_alert(app, world, key, status, hears):
    act = lambda: world.fire("hungyen", 2, "198.51.100.9")  # noqa: E731
    got, text = asyncio.run(stream(app, key, act, "198.51.100.9" if hears else ""))
    assert got == status
    assert ("198.51.100.9" in text) == hears
    if hears:
        assert text.startswith("retry: 3000\nevent: ready\n")
        assert "event: alert\ndata: {" in text


@pytest.mark.parametrize("ending", ["sign out", "disable", "scope"])
def test_the_stream_ends_with_the_right_to_it_however_many_alerts_come(app, world, signed_in, monkeypatch, ending):
    monkeypatch.setattr(routes, "_RECHECK_S", 0.3)
    client, accounts = signed_in("viewer"), world.stores.accounts
    cookie = client.cookies[COOKIE]

    def end():
        if ending == "sign out":
            accounts.close_session(digest(cookie))
        else:
            change = {"disabled": True} if ending == "disable" else {"scope": NINHBINH}
            accounts.put(replace(accounts.get("viewer"), **change), None, by="test")

    said, streaming = [], asyncio.Event()

    async def fire():
        for i in count():
            await asyncio.to_thread(world.fire, "hungyen", 1, f"198.51.100.{i}")
            await asyncio.sleep(0.05)

    async def send(message):
        said.append(message.get("body", b""))
        if b"198.51.100." in said[-1]:
            streaming.set()

    async def receive():
        await asyncio.Event().wait()

    async def watched():
        tasks = [asyncio.create_task(task) for task in (app.state.soc.feed.run(), fire())]
        scope = get("/api/v1/alerts/stream", (b"cookie", f"{COOKIE}={cookie}".encode()))
        answering = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(streaming.wait(), 60)
        await asyncio.sleep(0.5)
        assert not answering.done()  # whoever may go on watching does
        await asyncio.to_thread(end)
        await asyncio.wait_for(answering, 60)  # while alerts come faster than it looks whether it may go on
        for task in tasks:
            task.cancel()

    asyncio.run(watched())

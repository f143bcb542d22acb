"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elastic import reached, set_up
from kept import InCluster, InFiles, Kept
from playwright.sync_api import expect
from servers import Nginx, Product, eventually, need, stop

from deploy.ports import free_port

expect.set_options(timeout=60_000)  # a page on a machine that does other work as well
# What they assert is told as in a test.
pytest.register_assert_rewrite("day", "day_admin", "day_analyst", "day_helper")


@pytest.fixture
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a store, by environment: embedded, unless a test is marked otherwise. `secured`: TLS, and a key that may what
    the processes need and no more."""
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        return {}
    if kind == "secured":
        cluster = request.getfixturevalue("secured")
        return reached(cluster) | {"SOC_STORE__API_KEY": set_up(cluster)["govsoc-writer"]}
    return {"SOC_STORE__URL": request.getfixturevalue("elastic").url}


@pytest.fixture
def data_dir(tmp_path: Path, compiled: Path) -> Path:
    """A data directory in which there is nothing but the rules that were compiled for other tests: most of the work of a start."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "cache").symlink_to(compiled)
    return folder


@pytest.fixture
def product(data_dir: Path, store: dict[str, str]) -> Iterator[Product]:
    product = Product(data_dir, store)
    yield product
    product.stop()


@pytest.fixture
def kept(request: pytest.FixtureRequest, store: dict[str, str], product: Product) -> Kept:
    """What is in the product's store."""
    if not store:
        return InFiles(product.data_dir)
    return InCluster(request.getfixturevalue("secured" if "SOC_STORE__API_KEY" in store else "elastic"))


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    """Debian's nginx serving a small portal: pages in Vietnamese, linked, with a search form."""
    need("nginx")
    site, logs = tmp_path / "site", tmp_path / "nginx"
    site.mkdir()
    logs.mkdir()
    pages = [f"thu-tuc-{i}" for i in range(40)]
    links = "".join(f'<li><a href="/{page}.html">Thủ tục {page}</a></li>' for page in pages)
    form = '<form action="/tim-kiem.html"><input name="q"></form><link rel="stylesheet" href="/css/site.css">'
    for page in ["index", "tim-kiem", *pages]:
        (site / f"{page}.html").write_text(f"<html><meta charset=utf-8><h1>{page}</h1>{form}<ul>{links}</ul></html>")
    (site / "css").mkdir()
    (site / "css" / "site.css").write_text("body { font-family: sans-serif }")
    port = free_port()
    config = logs / "nginx.conf"
    config.write_text(f"""
        daemon off; user root; pid {logs}/pid; error_log {logs}/error.log; worker_processes 1;
        events {{ worker_connections 256; }}
        http {{
            types {{ text/html html; text/css css; }}
            access_log {logs}/access.log;  # the combined format, as Debian ships it
            client_body_temp_path {logs}/body; proxy_temp_path {logs}/proxy; fastcgi_temp_path {logs}/fastcgi;
            uwsgi_temp_path {logs}/uwsgi; scgi_temp_path {logs}/scgi;
            server {{ listen 127.0.0.1:{port}; root {site}; index index.html; }}
        }}
    """)
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    process = subprocess.Popen([program, "-c", str(config), "-e", f"{logs}/error.log"])
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    eventually(up, 10, "nginx listens")
    yield Nginx(url, logs / "access.log", logs / "error.log", process)
    stop(process)

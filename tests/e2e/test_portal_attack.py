"""A real nginx under ordinary traffic, then under sqlmap and ffuf: only the attack raises alerts, and they name it rightly."""

from __future__ import annotations

import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from servers import both_stores, eventually, need

pytestmark = pytest.mark.server

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
WORDS = """
admin administrator login wp-login.php wp-admin phpmyadmin .git/config .env .htaccess .svn/entries backup.zip backup.sql db.sql
config.php config.json web.config server-status cgi-bin/test.cgi shell.php c99.php test.php info.php phpinfo.php api/v1 api/users
console actuator/env actuator/health manager/html jenkins solr druid swagger-ui.html robots.txt sitemap.xml old new tmp temp upload
uploads files images css js static assets private secret hidden portal user users account accounts register signup logout data
""".split()


def fetch(url: str) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": BROWSER})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode(errors="replace")


def crawl(base: str) -> None:
    """Every page and style sheet, a missing favicon, and searches that citizens type."""
    seen, queue = set(), ["/"]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        queue += re.findall(r'(?:href|src)="(/[^"]*)"', fetch(base + path))
    fetch(f"{base}/favicon.ico")
    for words in (
        "đăng ký kết hôn",
        "select hồ sơ từ danh sách",
        "union & hội nông dân",
        "cấp lại thẻ 'bảo hiểm y tế'",
        "<giấy khai sinh>",
    ):
        fetch(f"{base}/tim-kiem.html?q={urllib.parse.quote(words)}&trang=1")


@both_stores
def test_only_the_attack_raises_alerts(product, nginx, tmp_path):
    need("wrk", "sqlmap", "ffuf")
    product.soc(
        "sources", "add", "portal", "--type", "nginx.access", "--org", "hungyen", "--path", str(nginx.access_log)
    )
    product.start()

    crawl(nginx.url)
    subprocess.run(
        ["wrk", "-t1", "-c4", "-d2s", f"{nginx.url}/index.html"], check=True, capture_output=True, timeout=300
    )
    ordinary = nginx.lines()
    eventually(lambda: product.records("portal") >= ordinary, 120, f"{ordinary} ordinary lines are collected")
    eventually(lambda: product.examined() >= ordinary, 120, "and examined")
    assert product.alerts() == []

    sqlmap(nginx.url, tmp_path)
    ffuf(nginx.url, tmp_path)
    attacked = nginx.lines()
    assert attacked > ordinary + 50
    eventually(lambda: product.examined() >= attacked, 120, "the attack is examined")
    alerts = product.alerts()
    assert {alert["entity"] for alert in alerts} == {"127.0.0.1"}
    assert {alert["org"] for alert in alerts} == {"hungyen"}
    tags = {tag for alert in alerts for tag in alert["tags"]}
    assert "attack.t1190" in tags, f"exploiting a public application: {alerts}"
    assert any(tag.startswith("attack.t1595") for tag in tags), f"active scanning: {alerts}"
    sql = [alert for alert in alerts if "SQL" in alert["title"]]
    assert sql, [alert["title"] for alert in alerts]

    found = product.get(f"/alerts/{sql[0]['id']}/findings?limit=200")["items"]
    lines = nginx.access_log.read_text().splitlines()
    for item in found:
        assert item["event"]["fields"]["event.original"] in lines
        assert item["matched"]


def sqlmap(base: str, tmp_path) -> None:
    subprocess.run(
        ["sqlmap", "-u", f"{base}/tim-kiem.html?q=ho+so&trang=1", "--batch", "--random-agent", "--level=1", "--risk=1", "--threads=1",
         "--technique=BEU", f"--output-dir={tmp_path}/sqlmap", "--disable-coloring", "--flush-session"],
        check=False, capture_output=True, timeout=300,
    )  # fmt: skip


def ffuf(base: str, tmp_path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\n".join(WORDS + [f"{word}.bak" for word in WORDS]))
    subprocess.run(
        ["ffuf", "-w", str(words), "-u", f"{base}/FUZZ", "-s", "-maxtime", "60"],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip

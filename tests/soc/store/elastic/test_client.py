from __future__ import annotations

import pytest

from soc.errors import ConfigError, StoreUnavailable
from soc.settings import Store, load
from soc.store.elastic.client import connect, nodes

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "url",
    [
        "",
        " , ",
        "elastic:9200",
        "ftp://x:1",
        "https://",
        "https://x:port",
        "http://a:1,https://b:1",
        "https://u:hush-hush@x:1",
        "elastic:hush-hush@es1:9200",
        "https:/elastic:hush-hush@es1:9200",
        "https://elastic:12/hush-hush@es1:9200",
        "https://elastic:hush-hush,3@es1:9200",
        "https://es1:9200 elastic:hush-hush@es2:9200",
        "elastic:hush-hush",
    ],
)
def test_a_url_that_cannot_work_is_named_without_its_password(url):
    with pytest.raises(ConfigError, match=r"store\.url") as error:
        connect(url)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "url", ["elastic:s3cret@es1:9200", "https:/elastic:s3cret@es1:9200", "https://elastic:12/3@host"]
)
def test_a_user_or_password_in_the_url_is_refused_however_it_is_written(url):
    with pytest.raises(ConfigError, match=r"store\.url holds a user or password.*store\.api_key") as error:
        nodes(url)
    assert not any(part in str(error.value) for part in ("s3cret", "12/3", "es1", "@"))


def test_several_nodes_and_the_usual_ports():
    assert nodes("https://a, https://b:9200 https://[::1]") == ["https://a:443", "https://b:9200", "https://[::1]:443"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"user": "soc"}, "store.password"),
        ({"password": SECRET}, "store.user"),
        ({"api_key": SECRET, "user": "soc", "password": SECRET}, "store.api_key"),
        ({"api_key": f"{SECRET}\n"}, "store.api_key"),
    ],
)
def test_credentials_that_do_not_fit_together_are_refused(arguments, named):
    with pytest.raises(ConfigError) as error:
        connect("https://elastic.example:9200", **arguments)
    assert named in str(error.value)
    assert SECRET not in str(error.value)


def test_a_ca_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        connect("https://x:1", ca_file=tmp_path / "ca.crt")
    (tmp_path / "ca.crt").write_text("hello")
    with pytest.raises(ConfigError, match="PEM"):
        connect("https://x:1", ca_file=tmp_path / "ca.crt")
    with pytest.raises(ConfigError, match="https"):
        connect("http://x:1", ca_file=tmp_path / "ca.crt")


def test_nobody_there_is_one_line_from_every_client_made_of_it():
    client = connect("http://127.0.0.1:1")
    for some in (client, client.options(request_timeout=1)):
        with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:1: nobody listens there"):
            some.cluster.health()


def test_settings_never_print_their_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("SOC_STORE__API_KEY", SECRET)
    monkeypatch.setenv("SOC_STORE__PASSWORD", SECRET)
    settings = load()
    assert settings.store.api_key.get_secret_value() == SECRET
    assert (
        SECRET not in f"{settings} {settings!r} {settings.store!r} {settings.model_dump()} {settings.model_dump_json()}"
    )
    monkeypatch.setenv("SOC_STORE__PERIOD", SECRET)
    with pytest.raises(ConfigError, match=r"store\.period") as error:
        load()
    assert SECRET not in str(error.value)
    assert Store().api_key.get_secret_value() == ""

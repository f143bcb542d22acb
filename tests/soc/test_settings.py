from __future__ import annotations

import pytest

from soc.errors import ConfigError
from soc.settings import as_environment, load


def test_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path, monkeypatch):
    config = tmp_path / "soc.toml"
    config.write_text('data_dir = "x"\n[serve]\nhttp_port = 1\nhttp_host = "0.0.0.0"\n')
    monkeypatch.setenv("SOC_SERVE__HTTP_PORT", "2")
    settings = load(config)
    assert (settings.serve.http_port, settings.serve.http_host, settings.collect.http_port) == (2, "0.0.0.0", 8081)
    assert str(settings.data_dir) == "x"
    assert load(config, tmp_path).data_dir == tmp_path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[serve]\nport = 1\n", "serve.port"),
        ("[serve]\nhttp_port = 70000\n", "serve.http_port"),
        ("x = 1\n", "x"),
        ("[\n", "TOML"),
    ],
)
def test_a_bad_file_is_named_with_the_field(tmp_path, text, named):
    config = tmp_path / "soc.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(config)
    assert str(config) in str(error.value)
    assert named in str(error.value)


def test_a_missing_file_and_a_bad_variable_are_named(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="nowhere"):
        load(tmp_path / "nowhere.toml")
    monkeypatch.setenv("SOC_STORE__KEEP_DAYS", "soon")
    with pytest.raises(ConfigError, match=r"store\.keep_days"):
        load()


def test_the_environment_of_a_process_that_we_start_gives_the_same_settings(tmp_path, monkeypatch):
    config = tmp_path / "soc.toml"
    config.write_text(
        '[store]\nurl = "https://x:9200"\napi_key = "a\\"b,c"\nverify_certs = false\nca_file = "/a b/ca.pem"\n'
        '[detect]\nrules = ["/r 1", "/r2"]\n[collect]\npoll_s = 0.25\n'
    )
    settings = load(config, tmp_path)
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load() == settings

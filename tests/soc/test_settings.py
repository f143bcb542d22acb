from __future__ import annotations

import pytest

from soc.errors import ConfigError
from soc.settings import as_environment, as_markdown, load


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


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("SOC_OBSERVE__SERIES", "/tmp/x", 'a JSON list, such as `["/srv/a", "/srv/b"]`'),
        ("SOC_DETECT__RULES", "/a,/b", 'a JSON list, such as `["/srv/a", "/srv/b"]`'),
        ("SOC_NOTIFY__ALLOWED_NETWORKS", "10.1.2.0/24", 'a JSON list, such as `["10.1.2.0/24", "::1"]`'),
        ("soc_collect__probe_networks", "[10.1.2.0/24]", 'a JSON list, such as `["10.1.2.0/24", "::1"]`'),
        ("SOC_STORE", "https://x:9200", "a JSON object of settings: rather set each as SOC_STORE__NAME"),
    ],
)
def test_a_variable_that_is_read_as_json_says_how_it_is_written(monkeypatch, name, value, form):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        load()
    assert str(error.value) == f"{name} in the environment has to be {form}"


def test_the_table_says_how_a_list_is_written_in_the_environment():
    (row,) = [row for row in as_markdown().splitlines() if "SOC_OBSERVE__PEOPLE" in row]
    assert row.endswith('; in the environment a JSON list, such as `["/srv/a", "/srv/b"]` |')


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

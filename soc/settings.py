"""Every setting in one table: default, unit, help. `docs/settings.md` is made from it.

A value comes from the first of: command line, environment (`SOC_<SECTION>__<NAME>`), the TOML file given by `--config`, the default.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from soc.errors import ConfigError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Store(Section):
    url: str = Field(
        "", description="Elasticsearch URL, or several, separated by commas; empty: the embedded store in `data_dir`"
    )
    ca_file: Path | None = Field(
        None, description="CA certificate of the Elasticsearch cluster (PEM); empty: the authorities of this machine"
    )
    verify_certs: bool = Field(True, description="check the certificate of Elasticsearch: leave it on")
    api_key: SecretStr = Field(SecretStr(""), description="API key for Elasticsearch, from `soc setup elasticsearch`")
    user: str = Field("", description="user of Elasticsearch, where there is no API key")
    password: SecretStr = Field(SecretStr(""), description="password of that user")
    period: Literal["day", "week", "month"] = Field(
        "month", description="what one Elasticsearch index of events holds: shorter for more than 50 GB a month"
    )
    shards: int = Field(1, gt=0, le=64, description="primary shards of an Elasticsearch index of events")
    replicas: int = Field(
        1, ge=0, le=5, description="copies of every Elasticsearch shard, where there are nodes enough for them"
    )
    max_bytes: int = Field(200 << 30, gt=0, description="bytes of the event log beyond which sources are slowed down")
    min_free_bytes: int = Field(512 << 20, ge=0, description="bytes to leave free on the disk")
    keep_days: int = Field(90, gt=0, description="days after its last write that a day file is deleted")
    target_bytes: int = Field(
        150 << 30,
        gt=0,
        description="bytes of the event log that retention deletes the oldest days down to; never more than three quarters of `max_bytes`",
    )


class Collect(Section):
    http_host: str = Field("127.0.0.1", description="address of the collector's HTTP push")
    http_port: int = Field(8081, ge=0, le=65535, description="port of the collector's HTTP push, health and metrics")
    syslog_host: str = Field("127.0.0.1", description="address of the syslog listener")
    syslog_port: int = Field(5514, ge=0, le=65535, description="UDP and TCP port of the syslog listener")
    max_line_bytes: int = Field(
        1 << 20,
        ge=1024,
        description="longest line of a file or a push that is kept whole; longer ones are cut and say so",
    )
    poll_s: float = Field(0.1, gt=0, description="seconds between looks at a tailed file")
    probe_networks: list[str] = Field(
        default_factory=list,
        description="networks, such as 10.1.2.0/24, that probes may reach; empty: none is made",
    )
    probe_ca_file: Path | None = Field(
        None, description="CA certificates that probes trust beside the authorities of this machine (PEM)"
    )


class Detect(Section):
    rules: list[Path] = Field(
        default_factory=list,
        description="folders of Sigma rules; empty: the rules that come with govsoc, and those in `rules` of `data_dir`",
    )
    pipeline: str = Field(
        "",
        description="processing pipeline for these rules, by name (`soc rules pipelines`) or file, or several, separated by commas",
    )
    zone: str = Field(
        "Asia/Ho_Chi_Minh",
        description="zone of the people: its calendar day folds findings into alerts, and the console shows its times",
    )
    lateness_s: int = Field(
        3600, ge=0, description="seconds that an event may come late and still be correlated exactly"
    )
    batch: int = Field(5000, gt=0, le=100_000, description="events a step, at most")
    poll_s: float = Field(0.1, gt=0, description="seconds between looks at an idle event log")
    canary_s: int = Field(
        3600, ge=0, description="seconds between two proofs of each rule that it is alive; 0: none is made"
    )
    http_host: str = Field("127.0.0.1", description="address of the detector's metrics")
    http_port: int = Field(8082, ge=0, le=65535, description="port of the detector's metrics")


class Observe(Section):
    series: list[Path] = Field(
        default_factory=list,
        description="folders of series definitions; empty: those that come with govsoc, and those in `series` of `data_dir`",
    )
    most_series: int = Field(50_000, gt=0, le=200_000, description="series at most; what is beyond is counted as other")
    people: list[Path] = Field(
        default_factory=list,
        description="folders of kinds of entities; empty: those that come with govsoc, and those in `people` of `data_dir`",
    )
    most_crowds: int = Field(
        200, gt=0, le=10_000, description="kinds of entities times organisations; events of those beyond are counted"
    )
    batch: int = Field(5000, gt=0, le=100_000, description="events a step, at most")
    poll_s: float = Field(0.1, gt=0, description="seconds between looks at an idle event log")
    commit_s: float = Field(5.0, ge=0, le=300, description="seconds between two commits, at least")
    http_host: str = Field("127.0.0.1", description="address of the observer's metrics")
    http_port: int = Field(8083, ge=0, le=65535, description="port of the observer's metrics")


class Serve(Section):
    http_host: str = Field("127.0.0.1", description="address of the API and the console")
    http_port: int = Field(8080, ge=0, le=65535, description="port of the API and the console")
    cookie_secure: bool = Field(
        False, description="send the session cookie over HTTPS only: set it wherever TLS is in front"
    )
    public_url: str = Field(
        "", description="URL at which people reach the console, for links; empty: the address it listens on"
    )


class Notify(Section):
    smtp_host: str = Field("", description="mail server for notifications; empty: no mails")
    smtp_port: int = Field(587, gt=0, le=65535, description="its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection is encrypted; `none` only for a relay on this machine"
    )
    smtp_user: str = Field("", description="user of the mail server; empty: without signing in")
    smtp_password: SecretStr = Field(SecretStr(""), description="password of that user")
    smtp_ca_file: Path | None = Field(
        None, description="CA certificate of the mail server (PEM); empty: the authorities of this machine"
    )
    sender: str = Field("govsoc@localhost", description="address that notifications come from")
    timeout_s: float = Field(20.0, gt=0, le=120, description="seconds that a mail server or webhook may take to answer")
    allowed_networks: list[str] = Field(
        default_factory=list,
        description="networks, such as 10.1.2.0/24, that webhooks may reach although they are not public",
    )


class Tuning(Section):
    daily_budget: float = Field(
        60,
        gt=0,
        description="alerts a day that the analysts can work on: a rule that would go beyond it goes live only with a reason",
    )


def _days(default: int, what: str) -> int:
    return Field(
        default, ge=0, description=f"days that {what} are kept in Elasticsearch by `soc retention`; 0: without limit"
    )


def _bytes(what: str) -> int:
    return Field(0, ge=0, description=f"bytes that {what} may take, all provinces together; 0: without limit")


class Retention(Section):
    web_days: int = _days(365, "events of web servers")
    web_bytes: int = _bytes("they")
    auth_days: int = _days(730, "events of sign-ins and sudo")
    auth_bytes: int = _bytes("they")
    gateway_days: int = _days(730, "events of the OTP and LGSP gateways")
    gateway_bytes: int = _bytes("they")
    other_days: int = _days(365, "all other events")
    other_bytes: int = _bytes("they")
    quarantine_days: int = _days(0, "events without a plausible time, counted from the first,")
    quarantine_bytes: int = _bytes("they")
    findings_days: int = _days(730, "findings")
    findings_bytes: int = _bytes("they")
    audit_days: int = _days(1825, "audit entries")
    audit_bytes: int = _bytes("they")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOC_", env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Path = Field(Path("data"), description="folder of everything that govsoc writes")
    store: Store = Store()
    collect: Collect = Collect()
    detect: Detect = Detect()
    observe: Observe = Observe()
    serve: Serve = Serve()
    notify: Notify = Notify()
    tuning: Tuning = Tuning()
    retention: Retention = Retention()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # the file comes in as init arguments: the environment wins over it


def load(config: Path | None = None, data_dir: Path | None = None) -> Settings:
    """Raises `ConfigError` naming the file and the field."""
    values: dict[str, object] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{config}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{config}: not valid TOML: {error}") from None
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{config or 'environment'}: {faults}") from None
    except SettingsError as error:  # which names the section at most
        raise ConfigError("; ".join(_not_json()) or str(error)) from None
    return settings.model_copy(update={"data_dir": data_dir}) if data_dir is not None else settings


def _not_json() -> Iterator[str]:
    """What is wrong with each variable that is read as JSON and is none; without its value, which may be secret."""
    forms = _json_forms()
    for name, value in os.environ.items():
        if form := forms.get(name.upper()):
            try:
                json.loads(value)
            except ValueError:
                yield f"{name} in the environment has to be {form}"


def _json_forms() -> dict[str, str]:
    """What is expected of each variable that is read as JSON, by its name."""
    forms = {}
    for name, section in Settings.model_fields.items():
        if isinstance(section.annotation, type) and issubclass(section.annotation, Section):
            forms[f"SOC_{name}".upper()] = f"a JSON object of settings: rather set each as SOC_{name.upper()}__NAME"
            for key, setting in section.annotation.model_fields.items():
                if get_origin(setting.annotation) is list:
                    example = ["/srv/a", "/srv/b"] if Path in get_args(setting.annotation) else ["10.1.2.0/24", "::1"]
                    forms[f"SOC_{name}__{key}".upper()] = f"a JSON list, such as `{json.dumps(example)}`"
    return forms


def as_environment(settings: Settings) -> dict[str, str]:
    """The same settings for a process that we start; secrets, too, so it is not for showing."""
    found = {"SOC_DATA_DIR": str(settings.data_dir.absolute())}
    for name, section in settings:
        if isinstance(section, Section):
            for key, value in section:
                if isinstance(value, SecretStr):
                    value = value.get_secret_value()
                if value is not None:
                    text = json.dumps([str(one) for one in value]) if isinstance(value, list) else str(value)
                    found[f"SOC_{name}__{key}".upper()] = text
    return found


def as_markdown() -> str:
    """The table of `docs/settings.md`; `make docs` writes it and a test compares."""
    forms = _json_forms()
    lines = ["| setting | environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            lines.append(f"| `{name}` | `SOC_{name.upper()}` | `{field.default}` | {field.description} |")
            continue
        for key, setting in field.annotation.model_fields.items():
            default = setting.get_default(call_default_factory=True)
            shown = "" if default in ("", None, [], SecretStr("")) else f"`{default}`"
            variable = f"SOC_{name}__{key}".upper()
            form = f"; in the environment {forms[variable]}" if variable in forms else ""
            lines.append(f"| `{name}.{key}` | `{variable}` | {shown} | {setting.description}{form} |")
    return "\n".join(lines) + "\n"

"""The Elasticsearch of the settings."""

from __future__ import annotations

from soc.settings import Settings
from soc.store.elastic.client import Client, connect


def client(settings: Settings) -> Client:
    """Sends nothing yet. Raises `ConfigError`."""
    store = settings.store
    return connect(
        store.url,
        ca_file=store.ca_file,
        api_key=store.api_key.get_secret_value(),
        user=store.user,
        password=store.password.get_secret_value(),
        verify_certs=store.verify_certs,
    )

"""The paths of the console's pages."""

from __future__ import annotations

import importlib
import pkgutil

import api.console


def paths() -> list[str]:
    found = []
    for module in pkgutil.iter_modules(api.console.__path__):
        router = getattr(importlib.import_module(f"api.console.{module.name}"), "router", None)
        found += [route.path for route in router.routes if "GET" in route.methods] if router else []
    return found

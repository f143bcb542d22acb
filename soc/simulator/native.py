"""An entry as the line that its system writes."""

from __future__ import annotations

from collections.abc import Callable

from soc.simulator.line import Entry, Line, as_json, clf, iso, nginx_error_time

HOST = "dichvucong.hungyen.example"


def line_of(entry: Entry) -> Line:
    return Line(entry.at, entry.stream, _WRITE[entry.stream](entry.at + entry.clock, entry.fields))


def _gateway(at: int, fields: dict[str, object]) -> str:
    """One JSON object."""
    return as_json({"time": iso(at), **fields})


def _access(at: int, f: dict[str, object]) -> str:
    """nginx's `combined` format and the request's duration, as many write their log_format."""
    return (
        f'{f["address"]} - - [{clf(at // 1000)}] "{f["method"]} {f["target"]} HTTP/1.1" {f["status"]} {f["size"]} '
        f'"{f["referrer"]}" "{f["agent"]}" rt={f["seconds"]:.3f}'
    )


def _error(at: int, f: dict[str, object]) -> str:
    """One line of nginx's error log."""
    context = f'client: {f["address"]}, server: {HOST}, request: "{f["method"]} {f["target"]} HTTP/1.1", host: "{HOST}"'
    return f"{nginx_error_time(at // 1000)} [{f['level']}] 1207#1207: *{at % 10**7} {f['message']}, {context}"


def _auth(at: int, f: dict[str, object]) -> str:
    """As rsyslog writes it on a current Debian. `tag` is the program with its process id: `sshd[812]`."""
    return f"{iso(at)} {f['host']} {f['tag']}: {f['text']}"


_WRITE: dict[str, Callable[[int, dict[str, object]], str]] = {
    "nginx.access": _access,
    "nginx.error": _error,
    "otp.gateway": _gateway,
    "lgsp.gateway": _gateway,
    "linux.auth": _auth,
}

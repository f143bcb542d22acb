"""Authentication messages of Linux: sshd, sudo, su, PAM, account tools, cron, systemd-logind; the envelope is syslog.

The texts are those of OpenSSH (auth.c, packet.c), sudo (logging.c), Linux-PAM (pam_unix), shadow-utils and systemd.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from collector.parse.base import Context, add_source, is_ip, relate
from collector.parse.syslog import Envelope, open_envelope
from soc.model.event import Fields, Scalar

# Failed password for invalid user admin from 203.0.113.9 port 4242 ssh2
# Accepted publickey for vagrant from 10.0.2.2 port 63673 ssh2: RSA 39:33:99:...
_SSH_LOGIN = re.compile(
    r"(Accepted|Failed) ([\w/-]{1,40}) for (invalid user |illegal user )?(.{0,256}?) from (\S{1,255}) port (\d{1,5})(?: (?:ssh\d?))?"
    r"(?:: (.{1,200}))?\s*$"
)
# Invalid user pascal from 35.188.49.176 port 53502
_SSH_INVALID = re.compile(r"(?:Invalid|Illegal) user (.{0,256}?) from (\S{1,255})(?: port (\d{1,5}))?\s*$")
# error: PAM: Authentication failure for illegal user test from test.example.com
_SSH_PAM = re.compile(
    r"(error: PAM: .{1,120}?) for (illegal user |invalid user )?(\S{1,256}) from (\S{1,255})(?: via \S+)?\s*$"
)
# Connection closed by authenticating user root 206.81.24.125 port 45362 [preauth]
# Disconnected from invalid user ftp 92.255.85.135 port 26138 [preauth]; Received disconnect from 10.0.2.2 port 4: 11: bye
_SSH_END = re.compile(
    r"(Connection (?:closed|reset) by|Disconnected from|Received disconnect from|Disconnecting)"
    r"(?: (?:(invalid|authenticating|\w+) )?user (.{0,256}?))? ([0-9A-Fa-f.:]{3,45}?)(?: port (\d{1,5}))?(?::| |$)"
)
# User bob from 203.0.113.9 not allowed because not listed in AllowUsers
_SSH_NOT_ALLOWED = re.compile(r"User (\S{1,256}) from (\S{1,255}) not allowed because (.{1,200})")
# error: maximum authentication attempts exceeded for invalid user root from 203.0.113.9 port 22 ssh2 [preauth]
_SSH_MAXIMUM = re.compile(
    r"maximum authentication attempts exceeded for (invalid user )?(.{0,256}?) from (\S{1,255}) port (\d{1,5})"
)
# Did not receive identification string from 203.0.113.9 port 4; banner exchange: Connection from 59.91.122.57 port 34388: invalid format
_SSH_FROM = re.compile(r"(?:from|with|by) ([0-9A-Fa-f.:]{3,45}?)(?: port (\d{1,5}))?(?:[: ,]|$)")
_SSH_SUBSYSTEM = re.compile(r"subsystem request for (\S{1,64}) (?:by user (\S{1,256}))")
# vagrant : TTY=pts/0 ; PWD=/home/vagrant ; USER=root ; COMMAND=/bin/ls
_SUDO = re.compile(
    r"\s*(\S.{0,255}?) : (?:(?!TTY=|PWD=|USER=)(.{1,200}?) ; )?((?:[A-Z]{2,9}=.*? ; )*)COMMAND=(.*)", re.S
)
_SUDO_PAIR = re.compile(r"([A-Z]{2,9})=(.*?) ; ")
# pam_unix(sudo:session): session opened for user root(uid=0) by vagrant(uid=1000)
_PAM = re.compile(r"(pam_\w{1,40})\(([\w.@-]{1,64}):(\w{1,20})\): (.*)", re.S)
_PAM_SESSION = re.compile(
    r"session (opened|closed) for user ([^\s(]{1,256})(?:\(uid=(\d{1,10})\))?(?: by ([^\s(]{0,256})\(uid=(\d{1,10})\))?"
)
# authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root
_PAM_FAILURE = re.compile(r"(?:authentication failure|\d+ more authentication failures?);(.*)", re.S)
_PAM_PAIR = re.compile(r"\b(logname|uid|euid|tty|ruser|rhost|user)=(\S*)")
_PAM_USER = re.compile(r"(?:by user|for user|user) [\"'\[]?([^\s\"'\]()]{1,256})")
# new user: name=apache, UID=48, GID=48, home=/usr/share/httpd, shell=/sbin/nologin
_ACCOUNT = re.compile(r"new (user|group): name=([^,\s]{1,256})(.*)", re.S)
_ACCOUNT_PAIR = re.compile(r"\b(UID|GID|home|shell)=([^,\s]*)")
# add 'van.thu' to group 'sudo'
_MEMBERSHIP = re.compile(
    r"add(?:ed)? (?:user )?[`'\"]?([\w.$-]{1,256})['\"]? to (?:shadow )?group [`'\"]?([\w.$-]{1,256})"
)
_ACCOUNT_ACT = re.compile(
    r"(delete|remove|add|change|lock|unlock)[a-z]* .{0,60}?(user|group|password|account)[a-z]*[:]? (?:for )?[`'\"]?([\w.$-]{1,256})"
)
# (root) CMD (run-parts /etc/cron.hourly)
_CRON = re.compile(r"\(([^)]{1,256})\) (CMD|RELOAD|EDIT|BEGIN EDIT|END EDIT|REPLACE|LIST|DELETE) \((.*)\)\s*$", re.S)
# New session 5 of user vagrant.; Removed session 5.
_LOGIND = re.compile(r"(New|Removed) session (\S{1,32}?)(?: of user (\S{1,256}?))?\.?\s*$")
# Successful su for root by bob; FAILED su for root by bob; (to root) bob on pts/0
_SU = re.compile(
    r"(?:(Successful|FAILED) su for (\S{1,256}) by (\S{1,256})|(FAILED SU )?\(to (\S{1,256})\) (\S{1,256}) on (\S{1,64}))"
)
_PASSWORD = re.compile(r"password (?:for|changed for) [`'\"]?([\w.$-]{1,256})")


def parse_linux_auth(line: str, context: Context) -> Fields:
    """A syslog line of an authentication program; a program not known here keeps its envelope only."""
    return read_auth(open_envelope(line, context))


def read_auth(envelope: Envelope) -> Fields:
    fields, message = envelope.fields, envelope.message
    if pam := _PAM.match(message):
        _pam(fields, *pam.groups())
    elif reader := _READERS.get(envelope.app.rpartition("/")[2]):
        reader(fields, message)
    return fields


def _login(fields: Fields, action: str, success: bool) -> None:
    fields["event.action"] = action
    fields["event.category"] = ["authentication", "session"] if success else ["authentication"]
    fields["event.type"] = ["info"]
    fields["event.outcome"] = "success" if success else "failure"


def _about(fields: Fields, action: str, category: str, kind: str, outcome: str | None = None) -> None:
    fields["event.action"] = action
    fields["event.category"] = [category]
    fields["event.type"] = [kind]
    if outcome:
        fields["event.outcome"] = outcome


def _peer(fields: Fields, user: str | None, address: str | None, port: str | None = None) -> None:
    if user:
        fields["user.name"] = user
        relate(fields, "related.user", user)
    if address:
        add_source(fields, address)
    if port:
        fields["source.port"] = int(port)


def _sshd(fields: Fields, message: str) -> None:
    for pattern, reader in _SSH_READERS:
        if found := pattern.search(message) if pattern is _SSH_MAXIMUM else pattern.match(message):
            return reader(fields, found)
    if (found := _SSH_FROM.search(message)) and is_ip(found[1]):
        _peer(fields, None, found[1], found[2])
    return None


def _ssh_login(fields: Fields, found: re.Match[str]) -> None:
    event, method, invalid, user, address, port, signature = found.groups()
    _login(fields, "ssh_login", event == "Accepted")
    _peer(fields, user, address, port)
    fields["govsoc.ssh.event"] = event
    fields["govsoc.ssh.method"] = method
    if invalid:
        fields["govsoc.ssh.unknown_user"] = True
    if signature:
        fields["govsoc.ssh.signature"] = signature


def _ssh_invalid(fields: Fields, found: re.Match[str]) -> None:
    _login(fields, "ssh_login", success=False)
    _peer(fields, *found.groups())
    fields["govsoc.ssh.event"] = "Invalid"
    fields["govsoc.ssh.unknown_user"] = True


def _ssh_pam(fields: Fields, found: re.Match[str]) -> None:
    # sshd logs the same attempt as `Failed ...` too: only one of them counts as a failed login
    _about(fields, "ssh_pam_error", "authentication", "info")
    _peer(fields, found[3], found[4])
    fields["govsoc.ssh.event"] = (f"{found[1]} for {found[2]}" if found[2] else found[1]).removesuffix(" user ")


def _ssh_end(fields: Fields, found: re.Match[str]) -> None:
    _about(fields, "ssh_disconnect", "session", "end")
    if is_ip(found[4]):
        _peer(fields, found[3], found[4], found[5])
    if found[2] == "invalid":
        fields["govsoc.ssh.unknown_user"] = True


def _ssh_not_allowed(fields: Fields, found: re.Match[str]) -> None:
    _login(fields, "ssh_login", success=False)
    _peer(fields, found[1], found[2])
    fields["event.reason"] = found[3]


def _ssh_maximum(fields: Fields, found: re.Match[str]) -> None:
    _about(fields, "ssh_attempts_exceeded", "authentication", "info")
    _peer(fields, found[2], found[3], found[4])


def _ssh_subsystem(fields: Fields, found: re.Match[str]) -> None:
    _about(fields, "ssh_subsystem", "session", "info")
    _peer(fields, found[2], None)
    fields["govsoc.ssh.subsystem"] = found[1]


_SSH_READERS: tuple[tuple[re.Pattern[str], Callable[[Fields, re.Match[str]], None]], ...] = (
    (_SSH_LOGIN, _ssh_login),
    (_SSH_INVALID, _ssh_invalid),
    (_SSH_PAM, _ssh_pam),
    (_SSH_END, _ssh_end),
    (_SSH_NOT_ALLOWED, _ssh_not_allowed),
    (_SSH_MAXIMUM, _ssh_maximum),
    (_SSH_SUBSYSTEM, _ssh_subsystem),
)


def _sudo(fields: Fields, message: str) -> None:
    found = _SUDO.match(message)
    if not found:
        return
    user, error, pairs, command = found.groups()
    values = dict(_SUDO_PAIR.findall(pairs))
    failed = error is not None and error != "(command continued)"
    _about(fields, "sudo", "process", "start", "failure" if failed else "success")
    _peer(fields, user, None)
    if target := values.get("USER"):
        fields["user.effective.name"] = target
        relate(fields, "related.user", target)
    fields["process.command_line"] = fields["govsoc.sudo.command"] = command
    for key, name in (("TTY", "govsoc.sudo.tty"), ("PWD", "govsoc.sudo.pwd")):
        if key in values:
            fields[name] = values[key]
    if failed:
        fields["govsoc.sudo.error"] = error


def _su(fields: Fields, message: str) -> None:
    found = _SU.match(message)
    if not found:
        return
    failed = found[1] == "FAILED" or bool(found[4])
    _login(fields, "su", success=not failed)
    _peer(fields, found[3] or found[6], None)
    fields["user.effective.name"] = found[2] or found[5]
    relate(fields, "related.user", found[2] or found[5])


def _pam(fields: Fields, _module: str, service: str, _group: str, message: str) -> None:
    if session := _PAM_SESSION.match(message):
        _pam_session(fields, session)
    elif failure := _PAM_FAILURE.match(message):
        # sshd itself logs each failed attempt: counting PAM's line as well would count it twice
        outcome = None if service == "sshd" else "failure"
        _about(fields, "pam_authentication_failure", "authentication", "info", outcome)
        values: dict[str, str] = dict(_PAM_PAIR.findall(failure[1]))
        user = values.get("user") or values.get("ruser") or values.get("logname")
        _peer(fields, user, values.get("rhost") or None)
        relate(fields, "related.user", values.get("ruser"))
    elif user_found := _PAM_USER.search(message):
        _peer(fields, user_found[1], None)


def _pam_session(fields: Fields, found: re.Match[str]) -> None:
    opened, user, user_id, by, by_id = found.groups()
    _about(fields, f"session_{opened}", "session", "start" if opened == "opened" else "end")
    if not by:  # somebody's own session: nobody acts for another
        fields["user.name"] = user
        relate(fields, "related.user", user)
        if user_id or by_id:
            fields["user.id"] = user_id or by_id
        return
    fields["user.name"], fields["user.id"] = by, by_id
    fields["user.effective.name"] = user
    if user_id:
        fields["user.effective.id"] = user_id
    relate(fields, "related.user", by, user)


def _account(fields: Fields, message: str) -> None:
    """useradd, groupadd, usermod, userdel ...: changes of accounts."""
    if found := _ACCOUNT.match(message):
        kind, name, rest = found.groups()
        _iam(fields, f"{kind}_added", [kind, "creation"])
        values = dict(_ACCOUNT_PAIR.findall(rest))
        if kind == "user":
            _peer(fields, name, None)
            _set(
                fields,
                {
                    "user.id": values.get("UID"),
                    "govsoc.account.home": values.get("home"),
                    "govsoc.account.shell": values.get("shell"),
                },
            )
        else:
            fields["group.name"] = name
        _set(fields, {"group.id": values.get("GID")})
    elif found := _MEMBERSHIP.match(message):
        _iam(fields, "group_member_added", ["group", "change"])
        _peer(fields, found[1], None)
        fields["group.name"] = found[2]
    elif found := _ACCOUNT_ACT.match(message):
        act, kind, name = found.groups()
        kinds: list[Scalar] = [
            "group" if kind == "group" else "user",
            "deletion" if act in ("delete", "remove") else "change",
        ]
        _iam(fields, f"{kind}_{act}", kinds)
        _peer(fields, name, None)


def _iam(fields: Fields, action: str, kinds: list[Scalar]) -> None:
    fields["event.action"] = action
    fields["event.category"] = ["iam"]
    fields["event.type"] = kinds
    fields["event.outcome"] = "success"


def _set(fields: Fields, values: dict[str, str | None]) -> None:
    fields.update({key: value for key, value in values.items() if value})


def _passwd(fields: Fields, message: str) -> None:
    if found := _PASSWORD.search(message):
        _iam(fields, "password_changed", ["user", "change"])
        _peer(fields, found[1], None)


def _cron(fields: Fields, message: str) -> None:
    if found := _CRON.match(message):
        _about(
            fields, "cron_" + found[2].lower().replace(" ", "_"), "process", "start" if found[2] == "CMD" else "info"
        )
        _peer(fields, found[1], None)
        if found[2] == "CMD":
            fields["process.command_line"] = found[3]


def _logind(fields: Fields, message: str) -> None:
    if found := _LOGIND.match(message):
        new = found[1] == "New"
        _about(fields, "session_opened" if new else "session_closed", "session", "start" if new else "end")
        _peer(fields, found[3], None)


_READERS: dict[str, Callable[[Fields, str], None]] = {
    "sshd": _sshd,
    "sshd-session": _sshd,
    "sshd-auth": _sshd,
    "sudo": _sudo,
    "su": _su,
    "passwd": _passwd,
    "chpasswd": _passwd,
    "systemd-logind": _logind,
    **dict.fromkeys(("cron", "CRON", "crond", "crontab", "anacron"), _cron),
    **dict.fromkeys(
        "useradd userdel usermod groupadd groupdel groupmod adduser deluser gpasswd chage chfn chsh".split(), _account
    ),
}
# Programs whose messages are authentication, whether or not each of their texts is known here.
PROGRAMS = frozenset(_READERS) | {"login", "pam", "polkitd", "gdm-password", "lightdm", "unix_chkpwd", "vsftpd", "doas"}

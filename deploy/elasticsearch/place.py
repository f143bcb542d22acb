"""Where the server's program is, the account that it runs as, and the folders that belong to that account.

Elasticsearch refuses to run as root, and what runs as another account may put a symbolic link wherever it may write. So root
writes into folders of its own alone; what the server writes to is made empty, given away, and never written by root again.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

VERSION = "8.19.7"
_ACCOUNT = "nobody"


class StartError(RuntimeError):
    """The server did not come up; the message says why, or ends with what it last said."""


def account() -> pwd.struct_passwd | None:
    """The account that the server runs as; None: our own."""
    return pwd.getpwnam(_ACCOUNT) if os.geteuid() == 0 else None


def own(folder: Path, mode: int = 0o711) -> Path:
    """The folder, made where it is not there; the server's account may go into it. Raises `StartError` when others may write to it."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    there = folder.lstat()
    if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.geteuid() or there.st_mode & 0o022:
        raise StartError(f"{folder} is not ours alone: remove it, then try again")
    return folder


def give(*paths: Path) -> None:
    """Files and empty folders, in folders of our own, are the server's from now on, and nobody else's to read."""
    to = account()
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
        if to:
            os.chown(path, to.pw_uid, to.pw_gid)


def given(*folders: Path) -> None:
    """Folders that the server writes to; those that are there already stay as they are."""
    for folder in folders:
        if not folder.exists():
            folder.mkdir()
            give(folder)


def servers_folder() -> Path:
    """`.servers` of the project; where the server's account may not go there, a folder of our own that it may reach."""
    folder = Path(__file__).resolve().parents[2] / ".servers"
    if account() is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.parents):
        return folder
    return own(Path("/var/tmp/govsoc-servers"), 0o755)


def installed() -> Path | None:
    """The folder of the server's program, when it is installed."""
    home = servers_folder() / f"elasticsearch-{VERSION}"
    return home if (home / ".installed").exists() and java_home() else None


def program() -> Path:
    """As `installed`; raises `StartError` when it is not."""
    home = installed()
    if home is None:
        raise StartError(
            "Elasticsearch is not installed: `deploy/elasticsearch/install` downloads it (Java 17 and Maven)"
        )
    return home


def java_home() -> Path | None:
    """Java 17 where Debian has it, else the one on the path."""
    debian = sorted(Path("/usr/lib/jvm").glob("java-17-openjdk-*"))
    for candidate in debian:
        if (candidate / "bin" / "java").exists():
            return candidate
    java = shutil.which("java")
    return Path(java).resolve().parents[1] if java else None


def tool(name: str, *arguments: str, config: Path | None = None, stdin: str = "") -> None:
    """Run one of the server's own programs. Raises `StartError`."""
    home = program()
    environment = os.environ | {"ES_JAVA_HOME": str(java_home()), "ES_PATH_CONF": str(config or home / "config")}
    done = subprocess.run(
        [home / "bin" / name, *arguments], env=environment, input=stdin.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise StartError(f"{name} {arguments[0]} failed: {done.stderr.decode()[-2000:]}")

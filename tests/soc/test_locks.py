from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from soc.errors import ConfigError
from soc.locks import only_one


def test_a_second_one_is_refused_with_the_first_ones_process_id(tmp_path):
    with (
        only_one(tmp_path, "collector"),
        pytest.raises(ConfigError, match=str(os.getpid())),
        only_one(tmp_path, "collector"),
    ):
        pass
    with only_one(tmp_path, "collector"), only_one(tmp_path, "detector"):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    hold = """if True:
        import sys, time
        from pathlib import Path
        from soc.locks import only_one
        with only_one(Path(sys.argv[1]), "collector"):
            print(1, flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    with pytest.raises(ConfigError), only_one(tmp_path, "collector"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with only_one(tmp_path, "collector"):
        pass

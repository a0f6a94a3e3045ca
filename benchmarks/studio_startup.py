"""How soon the studio is there: its first page, the whole page, and a job that can begin.

    python benchmarks/studio_startup.py --runs 3

Each run is a process of its own in an empty folder. The first page is the light one, which answers
until Gradio is imported; the whole page answers after that, and only then is the model loaded.
Seconds from the command, and seconds of processor time by then, which other work on the machine
hardly changes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from digressions.worlds.local_server import listening

NAMES = ("first page", "first page, processor", "whole page", "whole page, processor")


def answers(address: str, code: int) -> bool:
    """Whether an address answers with a code."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == code)
    except urllib.error.HTTPError as error:
        return error.code == code
    except OSError:
        return False


def processor_seconds(process: int) -> float:
    """What a process has used by now, on Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run() -> list[float]:
    """Seconds and processor seconds to the first page, and to the whole one."""
    with listening("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "digressions", "studio", "--port", str(port)]
    began, found = time.monotonic(), list[float]()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as studio,
    ):
        for path, code in (("", 200), ("ready", 204)):
            while not answers(f"http://127.0.0.1:{port}/{path}", code):
                if studio.poll() is not None or time.monotonic() - began > 300:
                    raise SystemExit("the studio did not open")
                time.sleep(0.02)
            found += [time.monotonic() - began, processor_seconds(studio.pid)]
        studio.terminate()
        studio.wait()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    found = [run() for _ in range(parser.parse_args().runs)]
    for name, values in zip(NAMES, zip(*found, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.1f} s ({min(values):.1f}..{max(values):.1f})")


if __name__ == "__main__":
    main()

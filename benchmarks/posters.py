"""How much memory a poster of a mosaic takes to print, as a PDF and as a TIFF.

    python -m benchmarks.posters out/me --size 70x100cm --dpi 240 --out out/posters

Each is printed in a process of its own, whose whole memory counts, Python and torch included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from digressions.cli.app import main
try:
    main()
except SystemExit as leave:
    assert not leave.code, leave.code
status = Path("/proc/self/status").read_text("ascii")
print("PEAK", int(status.split("VmHWM:")[1].split()[0]))
"""


def peak(arguments: Sequence[str]) -> float:
    """Megabytes that the command line takes at most; on Linux."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(ran.stdout.split("PEAK")[1]) / 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosaic", type=Path, help="folder of a mosaic")
    parser.add_argument("--size", default="70x100cm")
    parser.add_argument("--dpi", default="240")
    parser.add_argument("--out", type=Path, required=True, help="folder for the posters")
    asked = parser.parse_args(arguments)
    # What only begins: the least that the program takes.
    print(f"the program alone: {peak(['print', '--help']):.0f} MB", flush=True)
    for suffix in ("pdf", "tif"):
        line = ["print", str(asked.mosaic), "--size", asked.size, "--dpi", asked.dpi]
        line += ["--upscaler", "lanczos", "-o", str(asked.out / f"poster.{suffix}"), "--overwrite"]
        print(f"{asked.size} at {asked.dpi} DPI as {suffix}: {peak(line):.0f} MB", flush=True)


if __name__ == "__main__":
    main()

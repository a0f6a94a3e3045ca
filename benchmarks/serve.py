"""What flying through a served world is like: frames, the first picture, and two hundred viewers.

    python -m benchmarks.serve --out serve.json --update docs/zoom.md

`digress serve` runs in a process of its own, with an empty cache and the bundled model.
Frames are counted in headless Chromium while the page flies by itself and the server paints. The
crowd are bare clients: each has a place of its own and asks for pictures as a page does, again and
again, and comes back when it is told that the queue is full.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.machine import machine
from benchmarks.page import update
from benchmarks.subject import PROMPT, SEED

FIRST = """
new MutationObserver(() => {
  if (Number(document.documentElement.dataset.pictures)) window.first ??= performance.now();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-pictures"] });
"""
GATHER = """
window.gaps = [];
let before = performance.now();
const count = (now) => {
  window.gaps.push(now - before);
  before = now;
  requestAnimationFrame(count);
};
requestAnimationFrame(count);
"""
PICTURES = "return Number(document.documentElement.dataset.pictures || 0)"


@contextmanager
def served(folder: Path, arguments: Sequence[str]) -> Iterator[tuple[str, int]]:
    """`digress serve` with an empty cache: the page's address and the server's process."""
    program = "from digressions.cli.app import main; main()"
    command = [
        *(sys.executable, "-c", program, "serve", PROMPT, "--seed", str(SEED), "--port", "0"),
        *("--cache", str(folder / "worlds.sqlite"), *arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.match(r"http://\S+", line):
                break
        else:
            raise SystemExit("the server did not start")
        try:
            yield found[0], server.pid
        finally:
            server.terminate()


@contextmanager
def browser(size: str) -> Iterator[Any]:
    """Headless Chromium with a window of ``size``, such as ``1280x800``."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for flag in ("headless", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--window-size={size.replace('x', ',')}")
    driver = webdriver.Chrome(
        options=options, service=Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
    )
    try:
        yield driver
    finally:
        driver.quit()


def arrivals(driver: Any, address: str, places: Sequence[str]) -> list[float]:
    """Seconds from opening a link to the first child picture there; nobody was there before."""
    seconds = []
    for place in places:
        driver.get("about:blank")
        driver.get(f"{address}#{place}")
        while (first := driver.execute_script("return window.first")) is None:
            time.sleep(0.1)
        seconds.append(first / 1000)
    return seconds


def places(count: int, cells: int) -> tuple[list[str], list[str]]:
    """Links into the root, no two windows of which overlap, and into pictures of it."""
    near = [f"{0.12 + 0.25 * (n % 4):.3f}/{0.1 + 0.13 * (n // 4):.3f}/9" for n in range(count)]
    deep = [f"{(cells // 3 + 7 * n) % cells}/0.5/0.5/9" for n in range(count)]
    return near, deep


def frames(driver: Any, address: str, seconds: float) -> dict[str, float]:
    """Times between frames of a flight while pictures are painted, in milliseconds."""
    driver.get("about:blank")
    driver.get(f"{address}screensaver")
    while not driver.execute_script("return document.body.matches('.ready')"):
        time.sleep(0.05)
    driver.execute_script(GATHER)
    before = driver.execute_script(PICTURES)
    time.sleep(seconds)
    gaps = sorted(driver.execute_script("return window.gaps"))
    return {
        "frames": len(gaps),
        "seconds": seconds,
        "median_ms": statistics.median(gaps),
        "p95_ms": quantile(gaps, 0.95),
        "longest_ms": gaps[-1],
        "pictures_meanwhile": driver.execute_script(PICTURES) - before,
    }


def quantile(ordered: Sequence[float], part: float) -> float:
    """Of values in order, by nearest rank."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


async def crowd(address: str, cells: int, viewers: int, seconds: float) -> dict[str, Any]:
    """What becomes of many viewers that come at once, each to cells of its own while there are."""
    host, port = re.match(r"http://([^:/]+):(\d+)", address).groups()  # type: ignore[union-attr]
    waits: list[list[float]] = [[] for _ in range(viewers)]
    refused, end = 0, time.perf_counter() + seconds

    async def view(number: int) -> None:
        nonlocal refused
        ask = 0
        while time.perf_counter() < end:
            first = 4 * (number + viewers * ask)
            wanted = ",".join(str((first + i) % cells) for i in range(4))
            begun = time.perf_counter()
            while True:
                status, retry = await get(
                    host, int(port), f"/pictures/?cells={wanted}&page=v{number}"
                )
                if status != 503:
                    break
                refused += 1
                if time.perf_counter() > end:
                    return
                await asyncio.sleep(retry)
            if status != 200:
                raise SystemExit(f"the server answered {status}")
            waits[number].append(time.perf_counter() - begun)
            ask += 1

    await asyncio.gather(*map(view, range(viewers)))
    every = sorted(wait for own in waits for wait in own)
    counts = sorted(map(len, waits))
    return {
        "viewers": viewers,
        "seconds": seconds,
        "answers": len(every),
        "refused": refused,
        "median_s": statistics.median(every) if every else None,
        "p95_s": quantile(every, 0.95) if every else None,
        "longest_s": every[-1] if every else None,
        "fewest_answers": counts[0],
        "most_answers": counts[-1],
    }


async def get(host: str, port: int, path: str) -> tuple[int, float]:
    """One request on a connection of its own: its status, and when to come again."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.read()).partition(b"\r\n\r\n")[0].decode().lower()
    finally:
        writer.close()
    retry = re.search(r"retry-after: (\d+)", head)
    return int(head.split()[1]), float(retry[1]) if retry else 1.0


def peak_mib(process: int) -> float | None:
    """Largest resident size of a process so far; ``None`` where the system does not say."""
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None


def measured(asked: argparse.Namespace) -> dict[str, Any]:
    """Every figure; each with a server of its own."""
    report: dict[str, Any] = {}
    extra = ["--grid", str(asked.grid), "--upscaler", asked.upscaler]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), extra) as (address, _),
        browser(asked.size) as driver,
    ):
        driver.get(address)  # the browser's own start is not the page's
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FIRST})
        near, deep = places(asked.arrivals, asked.grid**2)
        report["arrivals_s"] = arrivals(driver, address, near)
        report["deep_arrivals_s"] = arrivals(driver, address, deep)
        report["frames"] = frames(driver, address, asked.seconds)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), extra) as (address, process):
        before = peak_mib(process)
        report["crowd"] = asyncio.run(crowd(address, asked.grid**2, asked.viewers, asked.seconds))
        report["crowd"] |= {"peak_mib": peak_mib(process), "before_mib": before}
    return report


def section(report: dict[str, Any]) -> str:
    """The figures in Markdown."""
    first, deep = sorted(report["arrivals_s"]), sorted(report["deep_arrivals_s"])
    flight, many = report["frames"], report["crowd"]
    seen = report["machine"]
    peak = "unknown" if many["peak_mib"] is None else f"{many['peak_mib']:.0f} MiB"
    alone = "unknown" if many["before_mib"] is None else f"{many['before_mib']:.0f} MiB"
    waits = [many[key] for key in ("median_s", "p95_s", "longest_s")]
    shown = ", ".join("none" if wait is None else f"{wait:.1f}" for wait in waits)
    return f"""
| figure | |
| --- | ---: |
| s from opening a link into the root to the first child picture: median, longest of \
{len(first)} | {statistics.median(first):.2f}, {first[-1]:.2f} |
| the same into a picture that is not painted and enlarged yet | \
{statistics.median(deep):.2f}, {deep[-1]:.2f} |
| time between frames while it flies and {flight["pictures_meanwhile"]:,} pictures came, ms: \
median, 95 %, longest | \
{flight["median_ms"]:.1f}, {flight["p95_ms"]:.1f}, {flight["longest_ms"]:.0f} |
| {many["viewers"]} viewers for {many["seconds"]:g} s: answers of 4 pictures; told to come again | \
{many["answers"]:,}; {many["refused"]:,} |
| seconds until an answer came: median, 95 %, longest | {shown} |
| answers that a viewer got: fewest, most | {many["fewest_answers"]}, {many["most_answers"]} |
| peak memory of the server, before they came | {peak}, {alone} |

`python -m benchmarks.serve` printed this: {seen["cpu"]}, {seen["cores"]} cores, a window of \
{report["asked"]["size"]}, {report["asked"]["grid"]} x {report["asked"]["grid"]} cells, Chromium \
headless and without a GPU on the same cores.
"""


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures, prints, and writes where asked; returns what is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--update", type=Path, help="page whose generated section to write")
    parser.add_argument("--grid", type=int, default=64)
    parser.add_argument("--upscaler", default="realesrgan-animevideo")
    parser.add_argument("--size", default="1280x800", help="of the window")
    parser.add_argument("--arrivals", type=int, default=9, help="links to open")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="of the flight, of the crowd")
    asked = parser.parse_args(arguments)
    if not 1 <= asked.arrivals <= 24:
        parser.error("--arrivals must be 1 to 24")
    report = measured(asked)
    report["machine"] = machine(("starlette", "uvicorn"))
    report["asked"] = {key: vars(asked)[key] for key in ("grid", "upscaler", "size", "seconds")}
    text = section(report)
    Console(width=160, markup=False).print(text)
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if asked.update is not None:
        update(asked.update, text, "serve")
    return report


if __name__ == "__main__":
    main()

"""The studio as a Space of Hugging Face: for strangers, with the bundled model.

    python spaces/app.py

On a Space it answers to the Space's own name alone, and Hugging Face may show it within its page;
elsewhere it listens on this machine only. What was made goes after an hour.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from digressions.generate.model_params import ModelParams
from digressions.studio.strangers import StrangersStudio
from digressions.studio.studio_server import HOST, run
from digressions.studio.studio_spec import StudioSpec
from digressions.worlds.local_server import listening

HOUR = 3600.0


def main() -> None:
    name = os.environ.get("SPACE_HOST")  # such as somebody-digressions.hf.space
    # A container is reached from outside through all of its addresses, or not at all.
    host = HOST if name is None else "0.0.0.0"
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    with tempfile.TemporaryDirectory(prefix="digressions-") as folder:
        os.chdir(folder)  # no word of a prompt is the name of a file here
        studio = StrangersStudio(
            StudioSpec(out=Path(folder) / "out"),
            ModelParams(device="cpu"),
            hosts=[] if name is None else [name],
            framed_by=[] if name is None else ["https://huggingface.co"],
        )
        studio.clears(HOUR)
        with listening(host, port) as listener:
            print(f"http://{HOST}:{listener.getsockname()[1]}/", flush=True)
            run(studio, listener)


if __name__ == "__main__":
    main()

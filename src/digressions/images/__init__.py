"""Picture files in and out, colours, contact sheets, videos, upscalers."""

from typing import Literal

DEFAULT_UPSCALER = "realesrgan-animevideo"
UPSCALERS = ("lanczos", DEFAULT_UPSCALER, "realesrgan-anime", "realesrgan")
"""What `images.upscale` knows by name; here, so that options can list them without loading it."""

Fit = Literal["cover", "contain", "pad"]
"""How a picture comes to another aspect; see `images.fitting`."""

MaskAlpha = Literal["transparent", "opaque"]
"""Which parts of a mask are to be painted, where its transparency says so and not its colours."""

ComposeName = Literal["auto", "extend", "crop", "stretch"]
"""How a picture that is wide or tall is made; see `images.composing`."""

"""Picture files in and out, colours, contact sheets, videos, upscalers."""

DEFAULT_UPSCALER = "realesrgan-animevideo"
UPSCALERS = ("lanczos", DEFAULT_UPSCALER, "realesrgan-anime", "realesrgan")
"""What `images.upscale` knows by name; here, so that options can list them without loading it."""

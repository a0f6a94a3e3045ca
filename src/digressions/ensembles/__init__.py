"""Several prompts at once: combined at every step, compared and judged."""

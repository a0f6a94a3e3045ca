"""``python -m digressions`` is ``digress``."""

from .cli import main

main()

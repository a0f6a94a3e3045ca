"""``python -m digressions`` is ``digress``."""

from .cli.app import main

main()

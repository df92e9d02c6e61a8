"""``python -m vidstyle``."""

from .cli import main

raise SystemExit(main())

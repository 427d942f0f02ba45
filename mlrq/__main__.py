"""`python -m mlrq`."""

from mlrq.cli import main

main()

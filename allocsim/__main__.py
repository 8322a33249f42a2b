"""`python -m allocsim`: the same command line."""

from allocsim.cli import main

main()

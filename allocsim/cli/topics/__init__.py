"""The pages of `allocsim help`, as text; `allocsim.cli.help` lists them."""

"""One file per subcommand: its options, one call, one report."""

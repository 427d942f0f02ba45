"""What a person types and sees: arguments, run, sweep, report, plots, progress."""

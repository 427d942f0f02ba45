"""What `import mlrq` offers: the stages of the command, called with tables and estimators in memory."""

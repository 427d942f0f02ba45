"""Exporters: each reads a quantized artifact and nothing else."""

"""Exporters: each turns an integer model into what runs elsewhere, and says the same integers."""

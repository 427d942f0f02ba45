"""What several test modules share and no fixture can give."""

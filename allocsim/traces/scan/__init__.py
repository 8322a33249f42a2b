"""What the trace readers share: reading lines, blocks of binary records, and numbers in text."""

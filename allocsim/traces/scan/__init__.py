"""What readers share: compiled line and block scanners, and a bridge for Python readers."""

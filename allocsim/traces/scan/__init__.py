"""Code that trace readers share: loops over lines and over binary records, and lexing of text."""

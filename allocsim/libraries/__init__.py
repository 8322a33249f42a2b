"""The malloc libraries installed on this machine: how they are found, loaded and called."""

"""The malloc libraries installed on this machine, behind the driver that plays the designs.

Above `core`, beside `designs`. A library is loaded into a fresh child process, so that only the
driver's calls reach it and no subject profits from another's warm-up. Its one rule: the kernel
that drives a library is the kernel that drives a design.
"""

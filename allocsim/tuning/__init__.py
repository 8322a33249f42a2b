"""Tables of size classes for given workloads, for `allocsim tune`.

Tables are proposed by an objective that has an exact optimum (`objective`, `optimum`). Replays of
the workloads (`replayer`) decide between them. A local search with the replay as its objective may
improve the chosen table (`search`).
"""

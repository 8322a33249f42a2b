"""Tables of size classes for given workloads, for `allocsim tune`.

Each proposed table minimises the objective, an estimate of the bytes in spans (`objective`,
`optimum`). Replays of the workloads (`replayer`) decide between the proposals. A local search with
the replay as its objective may improve the chosen table (`search`).
"""

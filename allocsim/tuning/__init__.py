"""Tables of size classes for given workloads, for `allocsim tune`.

A table is proposed by an objective that has an exact optimum (`objective`, `optimum`), judged by
replaying the workloads (`judge`), and may be improved by a local search with the replay as its
objective (`search`).
"""

"""Call sites: the stacks of the calls that allocate the objects of a trace.

An event has no room for a stack. Instead, every allocating event (malloc, calloc, memalign or
realloc) has a site number, and a `SiteTable` says which stack a number stands for. The numbers are
a second stream beside the events: `CallSites` has both. A trace has call sites only if they were
requested when it was opened and if its recording contains them, so a replay does not pay for them.

    with open_recording("server.allocsim", sites=True) as trace:
        for events in trace.chunks:
            numbers = trace.sites.of(events)     # uint32, one for each event, 0 if unknown
    print(trace.sites.table.describe(numbers[0]))

A reader gives sites in three steps. It sets `site` of each call that allocates (see
`traces.calls`). It offers a `CallSites` as `Reader.sites` before its first batch. After its last
batch, it stores the table, which `SiteTable.of_addresses` makes of stacks of addresses and
`symbols` resolves.
"""

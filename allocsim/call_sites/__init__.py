"""Call sites: the stacks of the calls that allocate the objects of a trace.

An event has no room for a stack. Instead, every allocating event (malloc, calloc, memalign or
realloc) has a site number, and a `SiteTable` maps site numbers to stacks. `CallSites` holds the
table and a stream of numbers, which runs in parallel to the stream of events. A trace has call
sites only if its recording contains them and `open_recording` is called with sites=True. A replay
does not need them, so it does not request them.

    with open_recording("server.allocsim", sites=True) as trace:
        for events in trace.chunks:
            numbers = trace.sites.of(events)     # uint32, one for each event, 0 if unknown
    print(trace.sites.table.describe(numbers[0]))

A reader that supports call sites sets `Reader.knows_sites`. If its `sites` is not None, the reader
sets `site` of each call that allocates (see `traces.calls`), and stores the table after its last
batch. If a recording has only addresses, `symbols` resolves them and `table_of_addresses` makes the
table.
"""

"""Side-by-side measurements of Deepwater and its peers as reverse proxies and as caches.

    main      command line and the order of a run
    tools     what must be installed or built first
    setting   what all measurements share: directory, cores, origin
    process   children: started pinned, ended by process id
    peers     nginx, HAProxy, Deepwater, each behind the same face
    origin    the application behind them, which also counts the requests
    cases     the table of what is measured
    load      wrk, h2load and pace: command line in, latency out
    cpu       processor time and resident memory as the system counts them
    wakeup    what waking a thread costs on this machine
    measure   one round of each kind of measurement
    caches    the peers as caches: how each counts, purges and stores
    caching   what is measured of caches alone: hot key, purges, evictions, memory
    goals     what Deepwater promises, checked against a record
    profile   where the processor time of one case goes
    report    tables for the terminal and for Markdown
    record    the JSON record of a run
"""

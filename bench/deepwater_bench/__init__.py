"""Side-by-side measurements of Deepwater and its peers as reverse proxies, caches and PostgreSQL poolers.

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
    postgres  one round of a pooler's case, and the memory of idle clients; beside it postgres_server,
              _poolers (the peers), _cases (the table), _load (pgbench), _goals and _report
    hostile   what fast clients notice of an attack, on its own command line
    overload  more requests than an application can do; beside it overload_peers (proxies without and with a
              limit), _goals and _report
    guards    what each of Deepwater's guards costs
    callgrind instructions, counted by valgrind
    goals     what Deepwater promises, checked against a record
    profile   where the processor time of one case goes
    report    what is told of a record, for the terminal and for Markdown
    table     tables of text, and how figures are written
    record    the JSON record of a run
"""

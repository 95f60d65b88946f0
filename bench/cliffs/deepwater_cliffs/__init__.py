"""Ramps in which each of five resources is the limiter in turn, and what the lens says on the way.

    main      command line and the order of a run
    limiters  the five: what the application does, and the parameters drawn for a round
    stage     application, Deepwater, PostgreSQL and relay of one round
    ramp      the load: up to half of the knee, then on to the knee
    rounds    one run, from its ramp to its verdict
    lens      what `/api/cliffs` says
    others    what of the machine is not ours meanwhile
    verdict   forecast against measurement; totals and goals
    report    tables for the terminal and for Markdown

Children, ports, PostgreSQL and the load generator are those of deepwater_bench.
"""

# Varnish as a cache: its built-in rules, two targets in turn, stale answers only where the test says so,
# and PURGE. Memory, threads and the log are options of its command line (deepwater_bench/caches.py).
vcl 4.1;

import directors;

backend one { .host = "127.0.0.1"; .port = "@TARGET_1@"; }
backend two { .host = "127.0.0.1"; .port = "@TARGET_2@"; }
backend slow { .host = "127.0.0.1"; .port = "@SLOW@"; }

sub vcl_init {
    new app = directors.round_robin();
    app.add_backend(one);
    app.add_backend(two);
}

sub vcl_recv {
    if (req.method == "PURGE") {
        return (purge);
    }
    if (req.url ~ "^/(fresh|stale)/") {
        set req.backend_hint = slow;
    } else {
        set req.backend_hint = app.backend();
    }
}

sub vcl_backend_response {
    if (bereq.url ~ "^/stale/") {
        set beresp.grace = 10s;
    } else {
        set beresp.grace = 0s;
    }
}

# A cache before the shop (Varnish 7): pages and documents that are everybody's are kept for as long as the shop
# says, so that those who wait in a flash sale cost it one request a second in all, however many they are.
# In use: varnishd -f this file, -a :80; change host and port; tell the shop MERCAT_PROXIES=127.0.0.1.
vcl 4.1;

import std;

backend shop {
    .host = "127.0.0.1";
    .port = "8000";
    .first_byte_timeout = 20s;
    .probe = { .url = "/health"; .interval = 1s; .timeout = 1s; .window = 3; .threshold = 2; .initial = 3; }
}

sub vcl_recv {
    # What is the same for all, whoever asks: a cookie or a token must not make it somebody's own.
    if ((req.method == "GET" || req.method == "HEAD")
        && (req.url ~ "^/(flash(/[a-z0-9-]+)?|departments|search|help)?(\?.*)?$"
            || req.url ~ "^/(c|p|static|media)/"
            || req.url ~ "^/api/v1/flash-sales(/[a-z0-9-]+(/certificate)?)?(\?.*)?$"
            || req.url ~ "^/api/v1/(products(/[^/]+)?|search|categories)(\?.*)?$")) {
        unset req.http.Cookie;
        unset req.http.Authorization;
        # The sale's document has no parameters: one that a script invents is no other document.
        if (req.url ~ "^/api/v1/flash-sales") {
            set req.url = regsub(req.url, "\?.*", "");
        }
        # As fresh as the shop wants it while it is well; as old as a minute while it is away.
        if (std.healthy(req.backend_hint)) {
            set req.grace = 1s;
        }
    }
}

sub vcl_backend_response {
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);  # what is kept is better
    }
    if (bereq.uncacheable) {
        return (deliver);
    }
    if (beresp.http.Cache-Control ~ "public") {
        set beresp.grace = 60s;
    } else if (beresp.status >= 500 && !bereq.http.Cookie && !bereq.http.Authorization) {
        # A crowd that meets an error must not go past the cache, each for themselves.
        set beresp.ttl = 1s;
        set beresp.grace = 0s;
        set beresp.uncacheable = false;
        return (deliver);
    }
    if (beresp.http.Content-Type ~ "^text/event-stream") {
        set beresp.do_stream = true;
        set beresp.uncacheable = true;
    }
}

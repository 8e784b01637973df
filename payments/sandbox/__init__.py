"""A small Stripe that runs here: the official SDK talks to it over HTTP, its state is in PostgreSQL.

Where things are:

- ``wsgi`` -> ``urls`` -> ``server``: a request's way in; ``auth``, ``forms``, ``params``, ``idempotency``,
  ``expand``, ``pages``, ``errors`` are the rules every request meets.
- ``routing`` and ``resources/``: the table of endpoints, one file per kind of object; ``shapes/``: their JSON.
- ``invoice_life``, ``invoice_row``, ``invoice_totals``, ``collect``, ``charging``, ``cards``: what invoices
  and money do.
- ``store`` keeps objects, ``events`` tells what changed, ``deliveries`` sends webhooks.
- ``clock`` is moved by the portal; ``schedule`` does what falls due, ``pump`` keeps it going.
- ``seed`` makes the first platform and account, ``serving`` starts the server, ``faults`` and ``control``
  make it misbehave.
"""

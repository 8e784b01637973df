def test_line(stripe_sandbox):
    import time

    c = stripe_sandbox.client()
    t = time.time()
    cus = c.v1.customers.create({"name": "A", "email": "a@b.c", "metadata": {"x": "1"}})
    pm = c.v1.payment_methods.attach("pm_card_visa", {"customer": cus.id})
    c.v1.customers.update(cus.id, {"invoice_settings": {"default_payment_method": pm.id}})
    inv = c.v1.invoices.create(
        {
            "customer": cus.id,
            "currency": "usd",
            "auto_advance": False,
            "expand": ["customer.invoice_settings.default_payment_method"],
        }
    )
    assert inv.customer.invoice_settings.default_payment_method.id == pm.id
    inv = c.v1.invoices.add_lines(inv.id, {"lines": [{"amount": 100, "description": f"l{i}"} for i in range(12)]})
    assert inv.total == 1200
    inv = c.v1.invoices.update(inv.id, {"auto_advance": True})
    print((time.time() - t) / 6)
    from payments.sandbox import clock

    due = clock.next_due(stripe_sandbox.account, False)
    from datetime import timedelta

    clock.set_clock(stripe_sandbox.account, False, frozen_at=due, offset=timedelta(0))
    assert stripe_sandbox.settle() is False
    inv = c.v1.invoices.retrieve(inv.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert inv.status == "paid", inv
    print([e.type for e in c.v1.events.list({"limit": 100}).data])
    absent = sorted({i.where + " " + e["path"] for e, r in stripe_sandbox.traffic.reports() for i in r.absent})
    print(
        [
            a
            for a in absent
            if "payment_methods" not in a and "default_payment_method" not in a and "payment_method_details" not in a
        ][:80]
    )

"""The page on which a person lets a platform act for an account of theirs."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from payments.sandbox.models import Account

# Chosen in place of an account: one that is opened on the spot.
NEW = "new"

STYLE = (
    "html{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}"
    "fieldset{border:1px solid #8886;border-radius:.6rem;padding:.5rem 1rem;margin:1.5rem 0}"
    "label{display:block;padding:.4rem 0}small{opacity:.7;display:block;padding-left:1.7rem}"
    "button{font:inherit;padding:.5rem 1.1rem;border-radius:.4rem;border:1px solid #8886;cursor:pointer}"
    ".yes{background:#635bff;border-color:#635bff;color:#fff}.mode{border-radius:1rem;padding:.1rem .7rem;"
    "border:1px solid #8886;font-size:.85rem}"
)


def page(platform: Account, accounts: Sequence[Account], livemode: bool) -> SafeString:
    """``accounts`` may agree; the first is chosen already. Only test accounts are opened on the spot."""
    choices = [(a.id, "checked" if not place else "", a.name, a.id) for place, a in enumerate(accounts)]
    if not livemode:
        choices.append((NEW, "" if accounts else "checked", "A new test account", "opened when you connect"))
    return _document(
        f"Connect to {platform.name}",
        format_html(
            "<p><span class='mode'>{mode}</span> This is the Stripe sandbox on this machine.</p>"
            "<p><strong>{name}</strong> asks to read and write customers, invoices and payments of one of your "
            "accounts. You can take the permission back at any time.</p>"
            "<form method='post'><fieldset><legend>Which account?</legend>{choices}</fieldset>"
            "<button class='yes' name='answer' value='connect'>Connect</button> "
            "<button name='answer' value='deny'>Cancel</button></form>",
            mode="Live mode" if livemode else "Test mode",
            name=platform.name,
            choices=format_html_join(
                "",
                "<label><input type='radio' name='account' value='{}' {}> {}<small>{}</small></label>",
                choices,
            ),
        ),
    )


def problem(why: str) -> SafeString:
    return _document(
        "This link does not work",
        format_html("<p>{}</p><p>Go back to where you came from and correct its settings.</p>", why),
    )


def _document(title: str, body: SafeString) -> SafeString:
    return format_html(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{0}</title>"
        "<meta name='viewport' content='width=device-width'><style>{1}</style></head>"
        "<body><main><h1>{0}</h1>{2}</main></body></html>",
        title,
        SafeString(STYLE),
        body,
    )

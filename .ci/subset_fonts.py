"""Cuts unfold's fonts down to what the pages here show, and writes them beside the portal's stylesheets.

    uv run .ci/subset_fonts.py

Run it when a page uses an icon that is not in the font yet (tests/portal/test_fonts.py says so). An icon is any
quoted string or any text between tags, in the sources below, that is the name of one.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import unfold
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

PROJECT = Path(__file__).resolve().parent.parent
TARGET = PROJECT / "billing_portal/portal/static/portal/fonts"
ICONS = TARGET / "icons.woff2"
WEIGHTS = {400: "Regular", 500: "Medium", 600: "SemiBold", 700: "Bold"}

# European languages in Latin letters, typographic signs, currencies, and the few arrows and signs we write.
LETTERS = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x2C6, 0x2DD), (0x1E9E, 0x1E9E), (0x2010, 0x2027),
    (0x202F, 0x203A), (0x2044, 0x2044), (0x20A0, 0x20C0), (0x2116, 0x2122), (0x2190, 0x2193), (0x21BB, 0x21BB),
    (0x2212, 0x2212), (0x2248, 0x2248), (0x2260, 0x2265), (0x25CF, 0x25CF), (0x2713, 0x2717),
)  # fmt: skip
FEATURES = ["kern", "mark", "mkmk", "ccmp", "locl", "calt", "tnum", "case"]

# What a new screen is likely to want, so that not every one changes the font.
RESERVE = """
add add_card add_circle alternate_email archive arrow_back arrow_downward arrow_drop_down arrow_forward arrow_outward
arrow_upward assignment attach_file attach_money autorenew badge bar_chart block bolt bookmark bug_report build
calendar_month calendar_today call_split campaign cancel category chat check check_box check_circle chevron_left
chevron_right circle clear close cloud code compare_arrows content_copy contract copy_all credit_card data_object
database delete description difference display_settings domain done done_all download draft edit edit_note error
event event_available event_busy event_repeat expand_less expand_more explore fact_check fast_forward filter_alt
filter_list fingerprint first_page flag folder forward functions gavel groups handshake help help_center history
home hourglass_empty hourglass_top hub hourglass_bottom image inbox info insights inventory_2 key keyboard language
last_page launch link link_off list lock lock_open lock_reset login logout loyalty mail manage_accounts manage_search
map mark_email_read menu menu_book merge money_off monitoring more_horiz more_vert move_down move_to_inbox
navigate_before navigate_next note_add notifications notifications_active open_in_new outbox package package_2 palette
password pause pause_circle paid payments pending pending_actions percent person person_add person_off person_remove
phone pie_chart pin play_arrow play_circle point_of_sale power_off preview price_change price_check print priority_high
public published_with_changes qr_code query_stats question_mark receipt receipt_long redeem redo refresh remove
remove_circle reorder repeat replay report request_quote restart_alt restore rocket_launch rotate_right route rule save
savings schedule schedule_send science search security sell send sensors settings shield shopping_cart show_chart
skip_next sms_failed sort speed star start stop stop_circle storage store summarize support support_agent swap_horiz
swap_vert switch_account sync sync_alt sync_problem table table_rows table_view tag task task_alt terminal timelapse
timeline timer today toggle_off toggle_on token toll trending_down trending_up tune undo unfold_less unfold_more
unsubscribe update upload upload_file verified verified_user view_list visibility visibility_off wallet warning webhook
wifi_off work zoom_in add_alert add_task analytics api attachment balance business calculate call cases checklist
compare compress create css csv cut dangerous details docs drafts equal expand feed files finance flight function
height hide host http input join keep labs layers lists message money move navigation news notes numbers opacity
orders output overview pace padding pages pattern payment people place policy pool power publish queue
radio_button_unchecked reminder resume room scale schema script segment select shapes share signature source step
steps style subject sweep switches translate try variables watch web width window
""".split()

QUOTED_OR_TEXT = re.compile(r"""["']([a-z0-9_]{2,60})["']|>\s*([a-z0-9_]{2,60})\s*<""")


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    ICONS.write_bytes(_icons(used_icons()))
    for weight, name in WEIGHTS.items():
        (TARGET / f"inter-{weight}.woff2").write_bytes(_letters(_unfold() / f"fonts/inter/Inter-{name}.woff2"))
    sizes = {path.name: path.stat().st_size for path in sorted(TARGET.glob("*.woff2"))}
    print(*(f"{size:>7,} {name}" for name, size in sizes.items()), f"{sum(sizes.values()):>7,} in all", sep="\n")


def used_icons() -> set[str]:
    """Every icon that a page may show."""
    words = {word for path in _sources() for found in QUOTED_OR_TEXT.findall(path.read_text()) for word in found}
    return icon_names(_unfold() / "fonts/material-symbols/Material-Symbols-Outlined.woff2") & (words | set(RESERVE))


def icon_names(font: Path) -> set[str]:
    """What has to be written for each of a font's icons."""
    return {"".join(_sign(part) for part in parts).lower() for parts, _ in _ligatures(TTFont(font))}


def _sources() -> Iterator[Path]:
    """Our pages and what fills them, and of unfold's own what the admin site shows."""
    ours = [*(PROJECT / "templates").rglob("*.html"), *(PROJECT / "billing_portal/portal").rglob("*.py")]
    named = [
        path
        for path in (_unfold().parent.parent / "templates").rglob("*.html")
        if "material-symbols" in path.read_text()
    ]
    yield from (path for path in [*ours, *named] if "migrations" not in path.parts)


def _unfold() -> Path:
    return Path(unfold.__file__).parent / "static/unfold"


def _ligatures(font: TTFont) -> Iterator[tuple[list[str], str]]:
    """(the glyphs that are written, the glyph that is shown)"""
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            actual: Any = getattr(table, "ExtSubTable", table)
            for first, found in actual.ligatures.items():
                yield from (([first, *one.Component], one.LigGlyph) for one in found)


_DIGITS = "zero one two three four five six seven eight nine".split()
_SIGNS = {"underscore": "_"} | {f"digit_{word}": str(digit) for digit, word in enumerate(_DIGITS)} | {
    word: str(digit) for digit, word in enumerate(_DIGITS)
}  # fmt: skip


def _sign(glyph: str) -> str:
    return _SIGNS.get(glyph, glyph)


def _icons(names: set[str]) -> bytes:
    """The letters that names are written with, and the icons they turn into; no icon that others' letters make."""
    font = TTFont(_unfold() / "fonts/material-symbols/Material-Symbols-Outlined.woff2")
    wanted = {glyph for parts, glyph in _ligatures(font) if "".join(map(_sign, parts)) in names}
    letters = {part for parts, glyph in _ligatures(font) if glyph in wanted for part in parts}
    options = Options(layout_closure=False, layout_features=["rlig"], notdef_outline=False, hinting=False)
    return _subset(font, options, glyphs=sorted(wanted | letters))


def _letters(path: Path) -> bytes:
    unicodes = [point for first, last in LETTERS for point in range(first, last + 1)]
    return _subset(TTFont(path), Options(layout_features=FEATURES, hinting=False), unicodes=unicodes)


def _subset(font: TTFont, options: Options, **wanted: Any) -> bytes:
    font.recalcTimestamp = False  # the same fonts give the same bytes
    subsetter = Subsetter(options)
    subsetter.populate(**wanted)
    subsetter.subset(font)
    font.flavor = "woff2"
    written = BytesIO()
    font.save(written)
    return written.getvalue()


if __name__ == "__main__":
    main()

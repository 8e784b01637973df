"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Grade(StrEnum):
    """A warning wants to be known; a problem wants to be mended before anybody depends on the installation."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """``remedy``: what to do about it, in words; empty where nothing needs doing."""

    grade: Grade
    text: str
    remedy: str = ""


def fine(text: str) -> Finding:
    return Finding(Grade.OK, text)


def warning(text: str, remedy: str) -> Finding:
    return Finding(Grade.WARNING, text, remedy)


def problem(text: str, remedy: str) -> Finding:
    return Finding(Grade.PROBLEM, text, remedy)


@dataclass(frozen=True)
class Examination:
    """``look`` is given the real time. ``remedy`` is said when it cannot be carried out at all."""

    part: str
    look: Callable[[datetime], Iterable[Finding]]
    remedy: str


def short(error: BaseException) -> str:
    """An error's first line: drivers go on with the address they tried, and with hints."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__

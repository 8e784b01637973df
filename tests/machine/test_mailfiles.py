from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend


@pytest.fixture
def backend(tmp_path: Path) -> BaseEmailBackend:
    return get_connection("billing_portal.mailfiles.EmailBackend", file_path=str(tmp_path / "mail"))


def message(subject: str = "Invoice INV-0001 from Acme") -> EmailMessage:
    made = EmailMessage(subject, "Hello", "Acme <billing@acme.example>", ["ada@example.com"])
    made.attach("invoice.pdf", b"%PDF-1.7", "application/pdf")
    return made


def test_one_file_a_message_with_plain_headers(backend: BaseEmailBackend, tmp_path: Path) -> None:
    assert backend.send_messages([message(), message("Second")]) == 2

    first, second = sorted((tmp_path / "mail").iterdir())
    lines = first.read_text().splitlines()
    assert "Subject: Invoice INV-0001 from Acme" in lines
    assert "To: ada@example.com" in lines
    assert message_from_bytes(second.read_bytes())["Subject"] == "Second"


def test_the_attachment_comes_back_as_it_was(backend: BaseEmailBackend, tmp_path: Path) -> None:
    backend.send_messages([message()])
    (file,) = (tmp_path / "mail").iterdir()
    (attachment,) = message_from_bytes(file.read_bytes(), policy=policy.default).iter_attachments()
    assert attachment.get_filename() == "invoice.pdf"
    assert attachment.get_content() == b"%PDF-1.7"


def test_a_message_to_nobody_is_not_written(backend: BaseEmailBackend, tmp_path: Path) -> None:
    assert backend.send_messages([EmailMessage("Nobody", "Hello")]) == 0
    assert not (tmp_path / "mail").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    backend = get_connection("billing_portal.mailfiles.EmailBackend", file_path=str(tmp_path / "file"))
    with pytest.raises(FileExistsError):
        backend.send_messages([message()])

"""What becomes of a charge that its owner's bank questions: the money is taken at once, and comes back if it is won."""

from payments.sandbox import store
from payments.sandbox.ids import new_id
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import disputes as shapes

DAYS_TO_ANSWER = 14
FEE = 1500
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
CLOSED = ("won", "lost", "warning_closed")


def open_dispute(scope: Scope, charge: StoredObject, reason: str) -> StoredObject:
    """``inquiry``: the bank asks first, and no money moves yet."""
    is_inquiry = reason == "inquiry"
    status = "warning_needs_response" if is_inquiry else "needs_response"
    due_by = scope.timestamp + DAYS_TO_ANSWER * 86400
    told = "fraudulent" if is_inquiry else reason
    blank = shapes.dispute(scope.timestamp, scope.livemode, charge.data, told, status, due_by)
    store.change(scope, charge, {"disputed": True})
    row = store.insert(scope, {"id": new_id("dispute"), **blank}, event="charge.dispute.created")
    if not is_inquiry:
        _move(scope, row, -row.data["amount"], FEE)
        scope.emit("charge.dispute.funds_withdrawn", row.data)
    return row


def answer(scope: Scope, row: StoredObject, evidence: JSON, *, submit: bool) -> None:
    """Evidence is staged, or handed to the bank. Stripe's test words decide the case at once."""
    merged = {**row.data["evidence"], **evidence}
    details = {**row.data["evidence_details"], "has_evidence": any(value for value in merged.values())}
    changes: JSON = {"evidence": merged, "evidence_details": details}
    if submit:
        details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
        changes["status"] = row.status.replace("needs_response", "under_review")
    store.change(scope, row, changes, event="charge.dispute.updated")
    verdict = {"winning_evidence": "won", "losing_evidence": "lost"}.get(merged["uncategorized_text"] or "")
    if submit and verdict:
        close(scope, row, verdict)


def close(scope: Scope, row: StoredObject, verdict: str) -> None:
    """Won: the money comes back. An inquiry that is won comes to nothing; one that is lost takes the money."""
    was_inquiry = row.status.startswith("warning_")
    if verdict == "won" and was_inquiry:
        verdict = "warning_closed"
    if verdict == "lost" and was_inquiry:
        _move(scope, row, -row.data["amount"], FEE)
        scope.emit("charge.dispute.funds_withdrawn", row.data)
    if verdict == "won":
        _move(scope, row, row.data["amount"], 0)
    store.change(scope, row, {"status": verdict})
    scope.emit("charge.dispute.closed", row.data)
    if verdict == "won":
        scope.emit("charge.dispute.funds_reinstated", row.data)


def _move(scope: Scope, row: StoredObject, amount: int, fee: int) -> None:
    entry = shapes.balance_transaction(scope.timestamp, row.data, amount, fee)
    store.change(scope, row, {"balance_transactions": [*row.data["balance_transactions"], entry]})

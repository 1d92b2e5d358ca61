"""The console's routes: which handler serves which entry of the table of permissions."""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import Response
from starlette.routing import Route

from upstander.console import (
    account,
    broadcast_page,
    care_page,
    case_acts,
    case_page,
    cases_page,
    evidence_page,
    keys_page,
    ledger_page,
    live,
    people_page,
    policy_page,
    reports_page,
    reviews_page,
    sign_in,
    state_pages,
)
from upstander.console.web import Handler, Visit, not_found, route

_MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ASSETS = {file.name: file.read_bytes() for file in files("upstander.console").joinpath("static").iterdir()}


async def asset(visit: Visit) -> Response:
    """A style sheet, a script or the icon: one of those that ship, whatever the path says."""
    name = visit.request.path_params["name"]
    if name not in _ASSETS:
        not_found("there is no such file", "Load the page again.")
    return visit.finish(Response(_ASSETS[name], 200, media_type=_MEDIA[name.rsplit(".", 1)[-1]]))


HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "/"): sign_in.home,
    ("GET", "/assets/{name}"): asset,
    ("GET", "/sign-in"): sign_in.form,
    ("POST", "/sign-in"): sign_in.password,
    ("GET", "/sign-in/link"): sign_in.link,
    ("POST", "/sign-in/passkey/options"): sign_in.passkey_options,
    ("POST", "/sign-in/passkey"): sign_in.passkey,
    ("GET", "/sign-in/provider"): sign_in.provider,
    ("GET", "/sign-in/provider/return"): sign_in.provider_return,
    ("GET", "/sign-in/code"): sign_in.code_form,
    ("POST", "/sign-in/code"): sign_in.code,
    ("GET", "/set-up"): account.set_up,
    ("POST", "/set-up/password"): account.set_up_password,
    ("POST", "/set-up/code"): account.set_up_code,
    ("POST", "/sign-out"): sign_in.sign_out,
    ("GET", "/account"): account.account,
    ("POST", "/account/here"): account.here,
    ("POST", "/account/password"): account.change_password,
    ("POST", "/account/recovery-codes"): account.recovery_codes,
    ("POST", "/account/sessions"): account.end_sessions,
    ("POST", "/account/passkeys/options"): account.passkey_options,
    ("POST", "/account/passkeys"): account.add_passkey,
    ("POST", "/account/passkeys/remove"): account.remove_passkey,
    ("GET", "/live"): live.page,
    ("GET", "/live/events"): live.updates,
    ("GET", "/live/broadcasts/{platform}/{broadcast:path}"): broadcast_page.broadcast,
    ("POST", "/live/orders"): broadcast_page.order,
    ("GET", "/cases"): cases_page.cases,
    ("GET", "/cases/events"): cases_page.events,
    ("POST", "/cases/bulk"): case_acts.preview,
    ("POST", "/cases/bulk/apply"): case_acts.apply,
    ("POST", "/cases/bulk/{batch}/undo"): case_acts.undo,
    ("GET", "/cases/{case}"): case_page.case,
    ("POST", "/cases/{case}/unveil"): case_page.unveil,
    **{("POST", f"/cases/{{case}}/{which.replace('_', '-')}"): case_acts.act(which) for which in case_page.NEEDS},
    ("POST", "/cases/{case}/skip"): case_acts.skip,
    ("GET", "/cases/{case}/evidence"): evidence_page.listing,
    ("POST", "/cases/{case}/evidence/hold"): evidence_page.hold,
    ("POST", "/cases/{case}/evidence/release"): evidence_page.release,
    ("POST", "/cases/{case}/evidence/export"): evidence_page.export,
    ("GET", "/evidence/{item}"): evidence_page.item,
    ("POST", "/evidence/{item}/unveil"): evidence_page.unveil,
    ("GET", "/cases/{case}/report"): reports_page.of_case,
    ("POST", "/cases/{case}/report"): reports_page.draft,
    ("GET", "/reports"): reports_page.listing,
    ("GET", "/reports/{report}"): reports_page.report,
    ("POST", "/reports/{report}/unveil"): reports_page.unveil,
    ("POST", "/reports/{report}/approve"): reports_page.approve,
    ("POST", "/reports/{report}/refuse"): reports_page.refuse,
    ("POST", "/reports/{report}/file"): reports_page.file,
    ("POST", "/reports/{report}/again"): reports_page.again,
    ("POST", "/reports/{report}/retract"): reports_page.retract,
    ("POST", "/reports/{report}/outcome"): reports_page.outcome,
    ("POST", "/reports/{report}/export"): reports_page.export,
    ("GET", "/care"): care_page.care,
    ("POST", "/care/preferences"): care_page.prefer,
    ("POST", "/care/break"): care_page.pause,
    ("POST", "/care/asks"): care_page.ask,
    ("POST", "/care/asks/{ask}/allow"): care_page.allow,
    ("POST", "/care/asks/{ask}/decline"): care_page.decline,
    ("GET", "/reviews"): reviews_page.due,
    ("POST", "/reviews/{case}"): reviews_page.give,
    ("POST", "/reviews/{case}/unveil"): reviews_page.unveil,
    ("GET", "/policy"): policy_page.policy,
    ("POST", "/policy/back-test"): policy_page.back_test,
    ("GET", "/statistics"): state_pages.statistics,
    ("GET", "/health"): state_pages.health,
    ("GET", "/keys"): keys_page.keys,
    ("POST", "/keys"): keys_page.make,
    ("POST", "/keys/{key}/revoke"): keys_page.revoke,
    ("GET", "/people"): people_page.people,
    ("POST", "/people"): people_page.add,
    ("POST", "/people/{person}/roles"): people_page.roles,
    ("POST", "/people/{person}/reset"): people_page.reset,
    ("POST", "/people/{person}/disable"): people_page.disable,
    ("POST", "/people/{person}/enable"): people_page.enable,
    ("GET", "/audit"): ledger_page.search,
    ("GET", "/audit/check"): ledger_page.check,
}


def routes() -> list[Route]:
    """All routes of the console."""
    return [route(method, path, handler) for (method, path), handler in HANDLERS.items()]

"""Interventions in XMPP chat rooms on Prosody, by a moderation account. A broadcast's id is its room's address.

Holding a message back is not here: that is ``prosody/mod_upstander``, inside Prosody, which also does in the room what
this side asks for. So the account need not sit in any room. Set-up: docs/adapters/xmpp.md.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import msgspec

from upstander.adapters.base import Action, Capability, Outcome, doings, unserved
from upstander.adapters.notes import NUDGE, WARNING
from upstander.adapters.xmpp_link import Failed, XmppLink, plain

#: What mod_upstander understands, and what the room is asked for with XEP-0425 (as of Debian 12's mod_muc_moderation).
ROOM_NS: Final = "upstander:room:0"
FASTEN_NS: Final = "urn:xmpp:fasten:0"
MODERATE_NS: Final = "urn:xmpp:message-moderate:0"
RETRACT_NS: Final = "urn:xmpp:message-retract:0"

#: What this adapter can do; ``call_moderator`` also needs somebody to call.
CAPABILITIES: Final = frozenset(
    {
        Capability.PRE_HOLD,
        Capability.POST_DELETE,
        Capability.NUDGE_HOST,
        Capability.WARN_VIEWER,
        Capability.MUTE_VIEWER,
        Capability.REMOVE_VIEWER,
        Capability.SLOW_MODE,
        Capability.DISABLE_COMMENTS,
        Capability.CALL_MODERATOR,
        Capability.PAUSE,
    }
)

#: What everybody in the room may read beside a change of somebody's role.
MUTED: Final = "to look after the host"
CLOSED: Final = "the chat is closed for now"
RETRACTED: Final = "taken down to look after the host"

_ID = re.compile(r"[!-~]{1,256}")


class XmppAdapter:
    """Acts as the account ``jid``, which Prosody's ``upstander_trusted`` must name.

    ``moderators`` is the address that is invited to a room when a moderator is called. ``nudge`` and ``warning`` are
    words of one's own to a host and to a viewer. Raises what ``XmppLink`` raises.
    """

    def __init__(
        self,
        name: str,
        platform: str,
        jid: str,
        password: str,
        url: str = "",
        capabilities: frozenset[Capability] = CAPABILITIES,
        moderators: str = "",
        nudge: str = "",
        warning: str = "",
    ) -> None:
        self.name, self.platform = name, platform
        self.capabilities = capabilities & CAPABILITIES
        if not moderators:
            self.capabilities -= {Capability.CALL_MODERATOR}
        self._link = XmppLink(jid, password, url)
        self._moderators = moderators
        self._nudge = plain(nudge)
        self._texts = {
            "warn_viewer": plain(warning) or WARNING,
            "mute_viewer": MUTED,
            "remove_viewer": MUTED,
            "disable_comments": CLOSED,
            "pause": CLOSED,
        }

    async def perform(self, action: Action) -> Outcome:
        """Do it. The room leaves alone what is in place already, and passes on the words of an action once."""
        if action.doing not in doings(self.capabilities):
            return unserved(action)
        try:
            if action.doing == "delete_comment":
                return Outcome(True, note=await self._retract(action))
            return Outcome(True, note=await self._have_done(action))
        except Failed as failed:
            return failed.outcome

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def _retract(self, action: Action) -> str:
        if not _ID.fullmatch(action.target):
            raise Failed(Outcome(False, note="no message in a room has such an id"))
        question = Element(f"{{{FASTEN_NS}}}apply-to", id=action.target)
        moderate = SubElement(question, f"{{{MODERATE_NS}}}moderate")
        SubElement(moderate, f"{{{RETRACT_NS}}}retract")
        SubElement(moderate, f"{{{MODERATE_NS}}}reason").text = RETRACTED
        try:
            await self._link.ask(action.broadcast, question)
        except Failed as failed:
            if failed.condition != "item-not-found":
                raise
            note = "the room's archive has no such message: it was not shown, or the archive is off"
            raise Failed(Outcome(False, note=note)) from None
        return "message retracted"

    async def _have_done(self, action: Action) -> str:
        """Have mod_upstander do it in the room; what it says it did."""
        question = Element(f"{{{ROOM_NS}}}do", what=action.doing, id=plain(action.id))
        question.text = self._texts.get(action.doing, "")
        if action.doing.endswith("_viewer"):
            viewer = self._link.bare(action.target)
            if not viewer:
                raise Failed(Outcome(False, note="the viewer's id is no account's address"))
            question.set("jid", viewer)
        elif action.doing == "nudge_host":
            question.text = self._nudge or _words(action)
            if action.card is not None:
                # The card itself, for a client that renders it: its JSON (``nudge.payload.Card``).
                SubElement(question, f"{{{ROOM_NS}}}card").text = plain(msgspec.json.encode(action.card).decode())
        elif action.doing == "call_moderator":
            question.set("jid", self._moderators)
            # No name of the host and none of the words: who may see the case sees it in Upstander, where it is audited.
            question.text = f"A moderator is needed (level {action.level or 'unknown'})."
        answer = await self._link.ask(action.broadcast, question)
        note = answer.get("note", "") if answer is not None and answer.tag == f"{{{ROOM_NS}}}done" else ""
        if not note:
            raise Failed(Outcome(False, note="the answer is not mod_upstander's: load it on the chat's component"))
        return note


def _words(action: Action) -> str:
    """What a host reads in any client: the card's words and its places of help."""
    card = action.card
    if card is None:
        return NUDGE
    places = [" ".join(part for part in (f"{place.name}:", place.contact, place.url) if part) for place in card.help]
    return plain("\n\n".join(["\n".join((card.title, card.noticed)), *places]))
